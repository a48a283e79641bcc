"""IKE SAs as frozen views."""

from __future__ import annotations

from nf.ike.child_sa import ChildSa
from nf.ike.ike_sa import IkeSa
from nf.policy.identity import type_name
from nf.policy.selectors import to_port
from nf.views import ChildSaView, IkeSaView


def view(sa: IkeSa, worker: int, now: float) -> IkeSaView:
    """One IKE SA with its Child SAs, now."""
    service = sa.service
    path = sa.path
    suite = sa.algorithms
    misuse = sa.misuse
    return IkeSaView(
        context=service.context,
        service=service.name,
        template=service.template.name,
        worker=worker,
        spi_i=sa.spi_i.hex(),
        spi_r=sa.spi_r.hex(),
        local_spi=sa.spi_local.hex(),
        original_initiator=sa.original_initiator,
        state=sa.state.value,
        local=path.local,
        local_port=path.local_port,
        remote=path.remote,
        remote_port=path.remote_port,
        local_id=sa.local_text,
        remote_id=sa.remote_text,
        remote_id_type=type_name(sa.remote_id[0]) if sa.remote_id[0] else "",
        encr=suite.encr,
        key_bits=suite.key_bits,
        prf=suite.prf,
        integ=suite.integ,
        ke_method=suite.ke_method,
        nat_local=sa.nat_local,
        nat_remote=sa.nat_remote,
        age_s=now - sa.established_at,
        rekey_in_s=_left(sa.soft_at, now),
        inner_addresses=sa.inner_addresses,
        children=tuple(_child_view(child, now) for child in sa.children),
        queue_drops=misuse.queue_drops if misuse is not None else 0,
        ike_rekeys_refused=misuse.ike_rekeys_refused if misuse is not None else 0,
        child_rekeys_refused=misuse.child_rekeys_refused if misuse is not None else 0,
        decrypt_drops=misuse.decrypt_drops if misuse is not None else 0,
        fragmentation=sa.fragmentation,
    )


def _child_view(child: ChildSa, now: float) -> ChildSaView:
    suite = child.suite
    return ChildSaView(
        spi_in=child.spi_in,
        spi_out=child.spi_out,
        payload=child.payload.name,
        state=child.state.value,
        mode="tunnel",
        encr=suite.encr,
        key_bits=suite.key_bits,
        integ=suite.integ,
        ke_method=suite.ke_method,
        esn=suite.esn,
        encapsulation="udp" if child.udp_encapsulated else "none",
        local_ts=to_port(child.local_ts),
        remote_ts=to_port(child.remote_ts),
        sa_id_in=child.sa_id_in,
        sa_id_out=child.sa_id_out,
        age_s=now - child.created_at,
        soft_in_s=_left(child.soft_at, now),
        hard_in_s=_left(child.hard_at, now),
    )


def _left(at: float | None, now: float) -> float | None:
    return None if at is None else max(at - now, 0.0)
