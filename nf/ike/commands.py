"""Operators' commands (EXE-01)."""

from __future__ import annotations

from ipaddress import ip_address

from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.inputs import (
    ClearSas,
    Command,
    CreateChildSa,
    Initiate,
    NetworkPath,
    RekeyChildSa,
    RekeyIkeSa,
    SaFilter,
    Shutdown,
)
from nf.ike.scheduler import enqueue
from nf.ike.states import IkeState
from nf.ike.v2 import delete_child, delete_ike, ike_sa_init, rekey_child, rekey_ike
from nf.ike.v2.create_child import CreateChild


def carry_out(core: Core, command: Command, now: float) -> int:
    """The number of SAs touched."""
    if isinstance(command, Initiate):
        return _initiate(core, command, now)
    if isinstance(command, ClearSas):
        return _clear(core, command.which)
    if isinstance(command, RekeyIkeSa):
        sa = _by_spi(core, command.spi)
        return int(sa is not None and rekey_ike.begin(core, sa))
    if isinstance(command, RekeyChildSa):
        child = core.children.get(command.child_spi)
        return int(child is not None and rekey_child.begin(core, child))
    if isinstance(command, CreateChildSa):
        return _create_child(core, command)
    if isinstance(command, Shutdown):
        sas = tuple(core.ike_sas.values())
        for sa in sas:
            delete_ike.begin(core, sa)
        return len(sas)
    raise TypeError(f"no such command: {command!r}")


def _initiate(core: Core, command: Initiate, now: float) -> int:
    """Not for remote access: there the peer always begins (WSG-25)."""
    service = core.policy.by_name.get((command.context, command.service))
    try:
        remote = str(ip_address(command.remote))
    except ValueError:
        return 0
    if service is None or service.remote_access or service.template.pad.lookup(remote) is None:
        return 0
    path = NetworkPath(service.bind_address, 500, remote, 500)
    ike_sa_init.start(core, service, path, command.request_addresses, now)
    return 1


def _create_child(core: Core, command: CreateChildSa) -> int:
    sa = _by_spi(core, command.spi)
    if sa is None or sa.state is not IkeState.ESTABLISHED:
        return 0
    for payload in sa.service.template.payloads:
        if payload.name == command.payload:
            enqueue(core, sa, CreateChild(payload))
            return 1
    return 0


def _clear(core: Core, which: SaFilter) -> int:
    if which.child_spi is not None:
        child = core.children.get(which.child_spi)
        if child is None or not _matches(child.ike_sa, which):
            return 0
        return _clear_child(core, child)
    sas = [sa for sa in _candidates(core, which) if _matches(sa, which) and sa.state is not IkeState.DELETING]
    for sa in sas:
        delete_ike.begin(core, sa)
    return len(sas)


def _clear_child(core: Core, child: ChildSa) -> int:
    if not child.is_live:
        return 0
    delete_child.begin(core, child)
    return 1


def _candidates(core: Core, which: SaFilter) -> tuple[IkeSa, ...]:
    if which.spi is None:
        return tuple(core.ike_sas.values())
    sa = _by_spi(core, which.spi)
    return () if sa is None else (sa,)


def _by_spi(core: Core, text: str) -> IkeSa | None:
    try:
        return core.ike_sas.get(bytes.fromhex(text))
    except ValueError:
        return None


def _matches(sa: IkeSa, which: SaFilter) -> bool:
    service = sa.service
    return (
        (which.context is None or which.context == service.context)
        and (which.service is None or which.service == service.name)
        and (which.template is None or which.template == service.template.name)
        and (which.peer is None or which.peer == sa.path.remote)
        and (which.remote_id is None or which.remote_id == sa.remote_text)
        and (which.spi is None or which.spi.lower() == sa.spi_local.hex())
    )
