"""Which Child SA a peer gets: payload, algorithms and narrowed selectors (TPL-60 to TPL-76, TPL-22, TPL-23, RKY-57)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nf.ike.child_sa import ChildSa
from nf.ike.errors import CpRequired, NoAdditionalSas, NoProposal, TsUnacceptable
from nf.ike.ike_sa import IkeSa
from nf.policy import proposals
from nf.policy.proposals import ChosenEsp
from nf.policy.selectors import (
    ANY,
    TrafficSelector,
    families_of,
    host,
    host_number,
    intersect,
    narrow,
    of_families,
)
from nf.policy.tables import PayloadPolicy
from nf.wire.iana import TsType
from nf.wire.payloads import SaPayload, TsiPayload, TsPayload, TsrPayload
from nf.wire.payloads import TrafficSelector as WireSelector

_FAMILY = {int(TsType.IPV4_ADDR_RANGE): 4, int(TsType.IPV6_ADDR_RANGE): 6}
_TS_TYPE = {4: int(TsType.IPV4_ADDR_RANGE), 6: int(TsType.IPV6_ADDR_RANGE)}

Selectors = tuple[TrafficSelector, ...]


class ChildPlan(NamedTuple):
    """What a Child SA will be. local_ts, remote_ts: as seen from here."""

    payload: PayloadPolicy
    chosen: ChosenEsp
    local_ts: Selectors
    remote_ts: Selectors


def from_wire(payload: TsPayload) -> Selectors:
    """The selectors of a TS payload; those of unknown type match nothing and are left out."""
    return tuple(
        TrafficSelector(_FAMILY[s.ts_type], s.protocol, s.first_port, s.last_port, s.first_address, s.last_address)
        for s in payload.selectors
    )


def _to_wire(selectors: Selectors) -> tuple[WireSelector, ...]:
    return tuple(
        WireSelector(_TS_TYPE[s.family], s.protocol, s.first_port, s.last_port, s.first, s.last) for s in selectors
    )


def ts_payloads(ts_i: Selectors, ts_r: Selectors) -> tuple[TsiPayload, TsrPayload]:
    """TSi and TSr of one message."""
    return TsiPayload(_to_wire(ts_i)), TsrPayload(_to_wire(ts_r))


def local_allowed(payload: PayloadPolicy) -> Selectors:
    """What peers may reach behind us (TPL-70, TPL-71)."""
    return payload.tsr or of_families(ANY, payload.families)


def remote_allowed(sa: IkeSa, payload: PayloadPolicy) -> Selectors:
    """What the peer may be.

    Its inner addresses if it has any, else itself (`tsi endpoint`) or anything (TPL-63, TPL-74).
    """
    if sa.leases:
        hosts = tuple(host_number(lease.family, lease.address) for lease in sa.leases)
        return of_families(hosts, payload.families)
    if payload.tsi_endpoint:
        return of_families((host(sa.path.remote),), payload.families)
    return of_families(ANY, payload.families)


def select(sa: IkeSa, sa_payload: SaPayload, ts_i: TsPayload, ts_r: TsPayload, *, with_ke: bool) -> ChildPlan:
    """Answer a peer's request for a Child SA: the first payload whose selectors leave something decides.

    Raises NoAdditionalSas, TsUnacceptable, NoProposal or CpRequired.
    """
    template = sa.service.template
    live = [child for child in sa.children if child.is_live]
    if len(live) >= template.max_childsa:
        raise NoAdditionalSas(f"the peer has {len(live)} Child SAs (TPL-22)")
    remote, local = from_wire(ts_i), from_wire(ts_r)
    refusal: NoAdditionalSas | None = None
    for payload in template.payloads:
        remote_ts = narrow(remote, remote_allowed(sa, payload))
        local_ts = narrow(local, local_allowed(payload))
        # A family on one side only protects nothing (TPL-75, TPL-76).
        families = families_of(remote_ts) & families_of(local_ts)
        remote_ts, local_ts = of_families(remote_ts, families), of_families(local_ts, families)
        if not remote_ts or not local_ts:
            continue
        if sum(child.payload.name == payload.name for child in live) >= payload.maximum_child_sa:
            refusal = NoAdditionalSas(f"payload {payload.name} has its Child SAs (TPL-60)")
            continue
        _refuse_stolen(sa, remote_ts)
        return ChildPlan(payload, choose(sa_payload, payload, with_ke=with_ke), local_ts, remote_ts)
    raise refusal or TsUnacceptable("no payload allows any of the selectors")


def choose(sa_payload: SaPayload, payload: PayloadPolicy, *, with_ke: bool) -> ChosenEsp:
    """Choose among the peer's ESP proposals; raises NoProposal."""
    try:
        return proposals.choose_esp(sa_payload.proposals, payload.suites, with_ke=with_ke)
    except proposals.NoProposalChosen as error:
        raise NoProposal(str(error)) from None


def select_rekey(child: ChildSa, sa_payload: SaPayload, ts_i: TsPayload | None, ts_r: TsPayload | None) -> ChildPlan:
    """Answer a peer's rekey: the payload and selectors of the old Child SA stay (RKY-42); raises NoProposal,
    TsUnacceptable.

    With `disallow-param-change` the algorithms stay as well (RKY-43). A peer may leave the selectors out only by
    mistake.
    """
    payload = child.payload
    if ts_i is None or ts_r is None:
        raise TsUnacceptable("no selectors")
    remote_ts = narrow(from_wire(ts_i), child.remote_ts)
    local_ts = narrow(from_wire(ts_r), child.local_ts)
    if not remote_ts or not local_ts:
        raise TsUnacceptable("the selectors are not those of the old Child SA")
    if payload.disallow_param_change and (remote_ts, local_ts) != (child.remote_ts, child.local_ts):
        raise TsUnacceptable("the selectors would change (RKY-43)")
    chosen = choose(sa_payload, payload, with_ke=True)
    if payload.disallow_param_change and chosen.suite_index != child.suite_index:
        raise NoProposal("the algorithms would change (RKY-43)")
    return ChildPlan(payload, chosen, local_ts, remote_ts)


def accept(proposed_local: Selectors, proposed_remote: Selectors, local: Selectors, remote: Selectors) -> None:
    """Check that a responder only narrowed what we proposed; raises TsUnacceptable."""
    if not local or not remote or not _within(local, proposed_local) or not _within(remote, proposed_remote):
        raise TsUnacceptable("the responder answered with selectors that we did not propose")


def _within(answer: Iterable[TrafficSelector], proposed: Selectors) -> bool:
    return all(any(intersect(selector, own) == selector for own in proposed) for selector in answer)


def _refuse_stolen(sa: IkeSa, remote_ts: Selectors) -> None:
    """A peer without an inner address of ours must not claim any of the pool: somebody else may have it."""
    if sa.leases or not sa.service.remote_access:
        return
    for plan in (sa.service.pool4, sa.service.pool6):
        if plan is not None and any(s.family == plan.family and plan.overlaps(s.first, s.last) for s in remote_ts):
            raise CpRequired("selectors of the pool without an address from it")
