"""Choice among proposals: ours x theirs -> suite, or a reason for none (RFC 7296 sections 2.7, 3.3).

The order of our suites decides, then the order of the peer's proposals. A suite fits a proposal that offers each of its
transforms with the very same key length. A combined-mode cipher stands without an integrity transform or with NONE (RFC
5282 section 8, ALG-06, RKY-45). A transform type that we do not know makes its proposal unfit, an attribute that we do
not know its transform (section 3.3.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from nf.policy.suites import EspAlgorithms, IkeAlgorithms
from nf.wire.iana import ProtocolId, TransformType
from nf.wire.payloads.sa import Proposal, Transform

_ENCR = int(TransformType.ENCR)
_PRF = int(TransformType.PRF)
_INTEG = int(TransformType.INTEG)
_KE = int(TransformType.KE)
_SN = int(TransformType.SN)
_IKE = int(ProtocolId.IKE)
_ESP = int(ProtocolId.ESP)
_IKE_TYPES = frozenset((_ENCR, _PRF, _INTEG, _KE))
_ESP_TYPES = frozenset((_ENCR, _INTEG, _KE, _SN))

Offer = frozenset[tuple[int, int, int]]


class NoProposalChosen(Exception):
    """No proposal fits; the text says why for our log, the peer is told NO_PROPOSAL_CHOSEN only."""


class ChosenIke(NamedTuple):
    """number: of the peer's proposal. spi: the peer's, empty in IKE_SA_INIT."""

    number: int
    spi: bytes
    suite: IkeAlgorithms


class ChosenEsp(NamedTuple):
    """number: of the peer's proposal. spi: the peer's inbound SPI. suite_index.

    Of our suite in the list that was given.
    """

    number: int
    spi: int
    suite: EspAlgorithms
    suite_index: int


def _offer(proposal: Proposal, known: frozenset[int]) -> tuple[Offer, frozenset[int]] | None:
    """(what it offers, the types in it), or None when it holds a type that does not belong there."""
    offered = [(t.transform_type, t.transform_id, t.key_bits) for t in proposal.transforms if not t.attributes]
    types = frozenset(t.transform_type for t in proposal.transforms)
    return (frozenset(offered), types) if types <= known else None


def _integ_fits(integ: int, offered: Offer, types: frozenset[int]) -> bool:
    if integ:
        return (_INTEG, integ, 0) in offered
    return _INTEG not in types or (_INTEG, 0, 0) in offered


def _ike_fits(suite: IkeAlgorithms, offered: Offer, types: frozenset[int]) -> bool:
    return (
        (_ENCR, suite.encr, suite.key_bits) in offered
        and (_PRF, suite.prf, 0) in offered
        and (_KE, suite.ke_method, 0) in offered
        and _integ_fits(suite.integ, offered, types)
    )


def choose_ike(proposals: Sequence[Proposal], ours: Sequence[IkeAlgorithms], spi_octets: int = 0) -> ChosenIke:
    """Answer an IKE SA request: IKE_SA_INIT with spi_octets 0, an IKE SA rekey with 8. Raises NoProposalChosen."""
    fit = []
    for proposal in proposals:
        if proposal.protocol == _IKE and len(proposal.spi) == spi_octets:
            offer = _offer(proposal, _IKE_TYPES)
            if offer is not None:
                fit.append((proposal, *offer))
    for suite in ours:
        for proposal, offered, types in fit:
            if _ike_fits(suite, offered, types):
                return ChosenIke(proposal.number, proposal.spi, suite)
    raise NoProposalChosen("no IKE proposal of the peer fits the transform sets")


def choose_esp(proposals: Sequence[Proposal], ours: Sequence[EspAlgorithms], *, with_ke: bool) -> ChosenEsp:
    """Answer a Child SA request; with_ke False in IKE_AUTH, where no key exchange method is negotiated (section 1.2).

    Raises NoProposalChosen; also when the peer insists on ESN and we have it off (ESN-14), or the ESN transform is
    missing (ESN-13).
    """
    fit = []
    for proposal in proposals:
        if proposal.protocol == _ESP and len(proposal.spi) == 4 and int.from_bytes(proposal.spi, "big") > 255:
            offer = _offer(proposal, _ESP_TYPES)
            if offer is not None:
                fit.append((proposal, *offer))
    for index, suite in enumerate(ours):
        for proposal, offered, types in fit:
            if (_ENCR, suite.encr, suite.key_bits) not in offered or not _integ_fits(suite.integ, offered, types):
                continue
            ke_method = suite.ke_method if with_ke else 0
            if with_ke and not _ke_fits(ke_method, offered, types):
                continue
            if suite.esn and (_SN, 1, 0) in offered:
                esn = True
            elif (_SN, 0, 0) in offered:
                esn = False
            else:
                continue
            chosen = EspAlgorithms(suite.encr, suite.key_bits, suite.integ, ke_method, esn)
            return ChosenEsp(proposal.number, int.from_bytes(proposal.spi, "big"), chosen, index)
    raise NoProposalChosen("no ESP proposal of the peer fits the transform sets")


def _ke_fits(ke_method: int, offered: Offer, types: frozenset[int]) -> bool:
    if ke_method:
        return (_KE, ke_method, 0) in offered
    return _KE not in types or (_KE, 0, 0) in offered


@lru_cache(maxsize=256)
def _ike_transforms(suite: IkeAlgorithms) -> tuple[Transform, ...]:
    integ = (Transform(_INTEG, suite.integ),) if suite.integ else ()
    return (
        Transform(_ENCR, suite.encr, suite.key_bits),
        Transform(_PRF, suite.prf),
        *integ,
        Transform(_KE, suite.ke_method),
    )


@lru_cache(maxsize=256)
def _esp_transforms(suite: EspAlgorithms, esn_ids: tuple[int, ...]) -> tuple[Transform, ...]:
    integ = (Transform(_INTEG, suite.integ),) if suite.integ else ()
    ke = (Transform(_KE, suite.ke_method),) if suite.ke_method else ()
    return (
        Transform(_ENCR, suite.encr, suite.key_bits),
        *integ,
        *ke,
        *(Transform(_SN, number) for number in esn_ids),
    )


def ike_proposals(ours: Sequence[IkeAlgorithms], spi: bytes = b"") -> tuple[Proposal, ...]:
    """Our offer for an IKE SA: one proposal a suite, in our order."""
    return tuple(Proposal(n, _IKE, spi, _ike_transforms(suite)) for n, suite in enumerate(ours, 1))


def esp_proposals(ours: Sequence[EspAlgorithms], spi: int, *, with_ke: bool) -> tuple[Proposal, ...]:
    """Our offer for a Child SA: one proposal a suite, in our order. ESN on offers 1 and 0, off only 0 (ESN-11)."""
    octets = spi.to_bytes(4, "big")
    return tuple(
        Proposal(
            n,
            _ESP,
            octets,
            _esp_transforms(suite if with_ke else suite._replace(ke_method=0), (1, 0) if suite.esn else (0,)),
        )
        for n, suite in enumerate(ours, 1)
    )


def ike_answer(chosen: ChosenIke, spi: bytes = b"") -> tuple[Proposal, ...]:
    """The one proposal of our response: the peer's number, our SPI, exactly the suite."""
    return (Proposal(chosen.number, _IKE, spi, _ike_transforms(chosen.suite)),)


def esp_answer(chosen: ChosenEsp, spi: int) -> tuple[Proposal, ...]:
    """The one proposal of our response: the peer's number, our inbound SPI, exactly the suite."""
    transforms = _esp_transforms(chosen.suite, (1,) if chosen.suite.esn else (0,))
    return (Proposal(chosen.number, _ESP, spi.to_bytes(4, "big"), transforms),)


def accept_ike(answer: Sequence[Proposal], ours: Sequence[IkeAlgorithms], spi_octets: int = 0) -> ChosenIke:
    """Read the responder's choice among what ike_proposals(ours) offered.

    Raises NoProposalChosen when it is none of it.
    """
    index = _answered(answer, len(ours))
    chosen = choose_ike(answer, (ours[index],), spi_octets)
    _one_of_each(answer[0])
    return chosen


def accept_esp(answer: Sequence[Proposal], ours: Sequence[EspAlgorithms], *, with_ke: bool) -> ChosenEsp:
    """Read the responder's choice among what esp_proposals(ours) offered.

    Raises NoProposalChosen when it is none of it.
    """
    index = _answered(answer, len(ours))
    chosen = choose_esp(answer, (ours[index],), with_ke=with_ke)
    _one_of_each(answer[0])
    return chosen._replace(suite_index=index)


def _answered(answer: Sequence[Proposal], count: int) -> int:
    if len(answer) != 1 or not 1 <= answer[0].number <= count:
        raise NoProposalChosen("the answer is not one of our proposals")
    return answer[0].number - 1


def _one_of_each(proposal: Proposal) -> None:
    types = [t.transform_type for t in proposal.transforms]
    if len(types) != len(set(types)):
        raise NoProposalChosen("the answer has more than one transform of a type")
