"""Proposal choice (RFC 7296 sections 2.7, 3.3.6; ALG-41, ESN-11 to ESN-14, RKY-45, TRF-28)."""

from __future__ import annotations

import pytest

from nf.policy.proposals import (
    NoProposalChosen,
    accept_esp,
    accept_ike,
    choose_esp,
    choose_ike,
    esp_answer,
    esp_proposals,
    ike_answer,
    ike_proposals,
)
from nf.policy.suites import EspAlgorithms, IkeAlgorithms
from nf.wire.payloads.sa import Attribute, Proposal, Transform

GCM = IkeAlgorithms(20, 128, 5, 0, 31)
CBC = IkeAlgorithms(12, 256, 7, 14, 14)
ESP = EspAlgorithms(20, 128, 0, 0, False)
ESP_ESN = EspAlgorithms(20, 128, 0, 0, True)
ESP_PFS = EspAlgorithms(12, 256, 12, 31, False)
SPI = 0x01020304


def ike(*transforms: Transform, protocol: int = 1, spi: bytes = b"", number: int = 1) -> Proposal:
    return Proposal(number, protocol, spi, transforms)


def esp(*transforms: Transform, spi: bytes = b"\1\2\3\4") -> Proposal:
    return Proposal(1, 3, spi, transforms)


ENCR, PRF, KE, NO_ESN, WITH_ESN = (
    Transform(1, 20, 128),
    Transform(2, 5),
    Transform(4, 31),
    Transform(5, 0),
    Transform(5, 1),
)


def test_our_order_decides() -> None:
    offered = (*ike_proposals((CBC,)), replace_number(ike_proposals((GCM,))[0], 2))
    assert choose_ike(offered, (GCM, CBC)).suite == GCM
    assert choose_ike(offered, (GCM, CBC)).number == 2
    assert choose_ike(offered, (CBC, GCM)).suite == CBC


def replace_number(proposal: Proposal, number: int) -> Proposal:
    return Proposal(number, proposal.protocol, proposal.spi, proposal.transforms)


def test_one_proposal_with_many_transforms() -> None:
    """The usual form of a peer's offer."""
    offered = ike(Transform(1, 12, 128), ENCR, Transform(1, 20, 256), PRF, Transform(2, 7), Transform(4, 14), KE)
    chosen = choose_ike([offered], (CBC, GCM))
    assert chosen.suite == GCM
    (answer,) = ike_answer(chosen)
    assert answer.transforms == (ENCR, PRF, KE)


@pytest.mark.parametrize(
    "proposal",
    [
        ike(Transform(1, 20, 256), PRF, KE),  # key length must match
        ike(Transform(1, 20), PRF, KE),  # ... and be there
        ike(ENCR, PRF, Transform(4, 14)),
        ike(ENCR, KE),
        ike(ENCR, PRF, KE, Transform(3, 12)),  # integrity with a combined-mode cipher
        ike(ENCR, PRF, KE, Transform(6, 35)),  # a transform type that we do not know
        ike(ENCR, PRF, KE, NO_ESN),  # one that does not belong to IKE
        ike(Transform(1, 20, 128, (Attribute(99, 1),)), PRF, KE),  # an attribute that we do not know
        ike(ENCR, PRF, KE, protocol=3),
        ike(ENCR, PRF, KE, spi=bytes(8)),  # an SPI in IKE_SA_INIT
    ],
)
def test_ike_proposals_that_do_not_fit(proposal: Proposal) -> None:
    with pytest.raises(NoProposalChosen):
        choose_ike([proposal], (GCM,))
    assert choose_ike([proposal, ike(ENCR, PRF, KE, number=2)], (GCM,)).number == 2


def test_combined_mode_with_none() -> None:
    """RFC 5282 section 8: NONE is as good as no integrity transform."""
    assert choose_ike([ike(ENCR, PRF, KE, Transform(3, 0))], (GCM,)).suite == GCM


@pytest.mark.parametrize(
    ("ours", "offered", "esn"),
    [
        (ESP, (NO_ESN,), False),
        (ESP, (NO_ESN, WITH_ESN), False),
        (ESP, (WITH_ESN,), None),  # ESN-14
        (ESP, (), None),  # ESN-13
        (ESP_ESN, (WITH_ESN,), True),
        (ESP_ESN, (NO_ESN, WITH_ESN), True),
        (ESP_ESN, (NO_ESN,), False),
        (ESP_ESN, (), None),
    ],
)
def test_esn(ours: EspAlgorithms, offered: tuple[Transform, ...], esn: bool | None) -> None:
    proposal = esp(ENCR, *offered)
    if esn is None:
        with pytest.raises(NoProposalChosen):
            choose_esp([proposal], (ours,), with_ke=False)
    else:
        chosen = choose_esp([proposal], (ours,), with_ke=False)
        assert chosen.suite.esn is esn
        assert esp_answer(chosen, SPI)[0].of(5) == (Transform(5, int(esn)),)


def test_we_offer_esn_both_ways() -> None:
    """ESN-11."""
    assert [t.transform_id for t in esp_proposals((ESP_ESN,), SPI, with_ke=True)[0].of(5)] == [1, 0]
    assert [t.transform_id for t in esp_proposals((ESP,), SPI, with_ke=True)[0].of(5)] == [0]


def test_pfs() -> None:
    """TRF-28: none means no PFS; with PFS the method must fit; IKE_AUTH negotiates none either way."""
    with_pfs = esp(Transform(1, 12, 256), Transform(3, 12), NO_ESN, KE)
    without = esp(Transform(1, 12, 256), Transform(3, 12), NO_ESN)
    plain = ESP_PFS._replace(ke_method=0)
    assert choose_esp([with_pfs], (ESP_PFS,), with_ke=True).suite.ke_method == 31
    assert choose_esp([without], (plain,), with_ke=True).suite.ke_method == 0
    assert choose_esp([without], (ESP_PFS,), with_ke=False).suite.ke_method == 0
    for offered, ours in ((without, ESP_PFS), (with_pfs, plain)):
        with pytest.raises(NoProposalChosen):
            choose_esp([offered], (ours,), with_ke=True)


@pytest.mark.parametrize("spi", [b"\0\0\0\0", b"\0\0\0\xff", b"\1\2\3\4\5"])
def test_reserved_and_odd_spis(spi: bytes) -> None:
    """SPIs 0 to 255 are reserved (RFC 4303 section 2.1)."""
    with pytest.raises(NoProposalChosen):
        choose_esp([esp(ENCR, NO_ESN, spi=spi)], (ESP,), with_ke=False)
    assert choose_esp([esp(ENCR, NO_ESN, spi=b"\0\0\1\0")], (ESP,), with_ke=False).spi == 256


def test_answers_are_checked() -> None:
    """The responder must choose one of our proposals, whole, and no more than that."""
    offered = (GCM, CBC)
    good = ike_answer(choose_ike(ike_proposals(offered), (CBC,)))
    assert accept_ike(good, offered).suite == CBC
    bad: list[tuple[Proposal, ...]] = [
        (),
        (*good, *good),
        (replace_number(good[0], 1),),
        (replace_number(good[0], 3),),
        (replace_number(good[0], 0),),
        (ike(*good[0].transforms, Transform(4, 31), number=2),),
    ]
    for answer in bad:
        with pytest.raises(NoProposalChosen):
            accept_ike(answer, offered)
    suites = (ESP, ESP_PFS)
    chosen = choose_esp(esp_proposals(suites, SPI, with_ke=True), (ESP_PFS,), with_ke=True)
    assert accept_esp(esp_answer(chosen, 999), suites, with_ke=True) == (2, 999, ESP_PFS, 1)
    with pytest.raises(NoProposalChosen):
        accept_esp((esp(ENCR, NO_ESN, WITH_ESN),), (ESP_ESN,), with_ke=True)
