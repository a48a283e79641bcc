"""`wsg show ...`: the gateway's state and configuration as tables, details or JSON (EXE-20, SHO-29, SHO-31, SHO-25,
SHO-32, SHO-50).
"""

from __future__ import annotations

from collections.abc import Iterator

import click
from lxml import etree

from wsg import cli_state as state
from wsg.cli_common import EXIT_REFUSED, EXIT_USAGE, Failure, Settings, emit_json, emit_lines, session
from wsg.cli_instance import InstanceError, xml_to_json
from wsg.cli_text import (
    Column,
    endpoint,
    human_number,
    human_octets,
    human_seconds,
    output_width,
    printable,
    table,
)
from wsg.cli_tree import indent, outline

_ROOM_FOR_PACKETS = 104
"""Columns below which a tunnel's line has octets only."""

json_option = click.option("--json", "as_json", is_flag=True, help="For programs: JSON, numbers in full.")


@click.group()
def show() -> None:
    """Show state and configuration."""


@show.command()
@json_option
@click.pass_obj
def tunnels(settings: Settings, as_json: bool) -> None:
    """One line a tunnel (IKE SA), with the packets and octets of its Child SAs."""
    sas = list(state.ike_sas(session(settings, lambda client: client.get(state.sa_filter()))))
    if as_json:
        emit_json([state.as_json(sa) for sa in sas])
        return
    width = output_width()
    columns: tuple[Column, ...] = (
        *(
            Column("SERVICE", shrink=5),
            Column("PEER", shrink=15),
            Column("IDENTITY", shrink=8),
            Column("INNER", shrink=9),
        ),
        *(Column("STATE"), Column("AGE", "right"), Column("PKTS IN", "right"), Column("PKTS OUT", "right")),
        *(Column("OCT IN", "right"), Column("OCT OUT", "right")),
    )
    rows = [_tunnel(sa) for sa in sas]
    if width is not None and width < _ROOM_FOR_PACKETS:
        columns, rows = columns[:6] + columns[8:], [row[:6] + row[8:] for row in rows]
    click.echo(table(columns, rows, width) if rows else "no tunnels")


def _tunnel(sa: state.IkeSa) -> tuple[str, ...]:
    children = sa.child_sas
    return (
        sa.wsg_service,
        endpoint(sa.remote_address, sa.remote_port),
        printable(sa.remote_identity) or "-",
        ", ".join(sa.networks) or "-",
        sa.state,
        human_seconds(sa.age),
        human_number(sum(child.packets_in for child in children)),
        human_number(sum(child.packets_out for child in children)),
        human_octets(sum(child.octets_in for child in children)),
        human_octets(sum(child.octets_out for child in children)),
    )


@show.command()
@click.argument("spi", required=False)
@json_option
@click.pass_obj
def sa(settings: Settings, spi: str | None, as_json: bool) -> None:
    """IKE SAs and their Child SAs in detail; SPI: only the IKE SA with that SPI of the gateway, or of the peer."""
    wanted = spi.lower().removeprefix("0x") if spi else None
    if wanted is not None and (len(wanted) > 16 or not all(digit in "0123456789abcdef" for digit in wanted)):
        raise Failure("wsg: an IKE SPI has up to 16 hexadecimal digits", EXIT_USAGE)
    found = list(state.ike_sas(session(settings, lambda client: client.get(state.sa_filter()))))
    if wanted is not None:
        found = [one for one in found if wanted.zfill(16) in (one.initiator_spi, one.responder_spi, one.local_spi)]
        if not found:
            raise Failure(f"wsg: no IKE SA has the SPI {spi}", EXIT_REFUSED)
    if as_json:
        emit_json([state.as_json(one) for one in found])
        return
    if not found:
        click.echo("no security associations")
    for number, one in enumerate(found):
        if number:
            click.echo()
        emit_lines(_detail(one))


def _detail(sa: state.IkeSa) -> Iterator[str]:
    role = "initiator" if sa.original_initiator else "responder"
    algorithms = _algorithms(sa.encryption, sa.prf, sa.hmac, sa.group)
    yield f"IKE SA {sa.local_spi}  {sa.state}, {role}, context {sa.context}, service {sa.wsg_service}"
    yield f"  SPIs       initiator {sa.initiator_spi}, responder {sa.responder_spi}"
    yield f"  local      {_end(sa.local_address, sa.local_port, sa.local_identity, sa.local_behind_nat)}"
    kind = f" ({sa.remote_identity_type})" if sa.remote_identity_type else ""
    yield f"  remote     {_end(sa.remote_address, sa.remote_port, sa.remote_identity, sa.remote_behind_nat, kind)}"
    yield f"  policy     template {sa.crypto_template}, ipsecmgr-{sa.ipsec_manager}"
    yield f"  algorithms {algorithms}"
    yield f"  age        {human_seconds(sa.age)}, rekey in {human_seconds(sa.rekey_in)}"
    if sa.inner_addresses:
        yield f"  inner      {', '.join(sa.inner_addresses)}"
    for child in sa.child_sas:
        algorithms = _algorithms(child.encryption, child.hmac, child.group)
        carried = "ESP in UDP" if child.encapsulation == "udp" else "ESP"
        esn = ", ESN" if child.esn else ""
        yield f"  Child SA   in {child.spi_in:#010x}, out {child.spi_out:#010x}  {child.state}, payload {child.payload}"
        yield f"    carried    {carried}, {child.mode} mode{esn}, {algorithms}"
        yield f"    local      {', '.join(selector.text for selector in child.local_selectors)}"
        yield f"    remote     {', '.join(selector.text for selector in child.remote_selectors)}"
        yield (
            f"    age        {human_seconds(child.age)}, rekey in {human_seconds(child.soft_expiry_in)}, "
            f"ends in {human_seconds(child.hard_expiry_in)}"
        )
        yield f"    in         {child.packets_in} packets, {human_octets(child.octets_in)} octets"
        yield f"    out        {child.packets_out} packets, {human_octets(child.octets_out)} octets"
        yield f"    dropped    {child.replay_drops} replayed, {child.integrity_failures} with a wrong ICV"


def _algorithms(*names: str) -> str:
    return ", ".join(name for name in names if name not in ("", "none"))


def _end(address: str, port: int | None, identity: str, behind_nat: bool, kind: str = "") -> str:
    nat = ", behind a NAT" if behind_nat else ""
    return f"{endpoint(address, port)}  {printable(identity) or '-'}{kind}{nat}"


@show.command()
@json_option
@click.pass_obj
def pools(settings: Settings, as_json: bool) -> None:
    """Address pools and how full they are.

    \f
    CTX-18.
    """
    found = list(state.pools(session(settings, lambda client: client.get(state.module_filter("pool")))))
    if as_json:
        emit_json([state.as_json(pool) for pool in found])
        return
    columns = (
        *(Column("CONTEXT", shrink=8), Column("POOL", shrink=8), Column("PREFIX", shrink=18)),
        *(Column("SIZE", "right"), Column("USED", "right"), Column("FREE", "right"), Column("USE", "right")),
    )
    rows = [
        (
            *(pool.context, pool.name, pool.prefix),
            *(_count(pool.size), _count(pool.used), _count(pool.free)),
            f"{100 * pool.used / pool.size:.1f}%" if pool.size else "-",
        )
        for pool in found
    ]
    click.echo(table(columns, rows, output_width()) if rows else "no pools")


def _count(number: int) -> str:
    """Exact while it can be read."""
    return str(number) if number < 10_000_000 else human_number(number)


@show.command()
@json_option
@click.pass_obj
def services(settings: Settings, as_json: bool) -> None:
    """WSG services.

    \f
    SHO-25.
    """
    found = list(state.services(session(settings, lambda client: client.get(state.module_filter("wsg-service")))))
    if as_json:
        emit_json([state.as_json(service) for service in found])
        return
    columns = (
        *(Column("CONTEXT", shrink=8), Column("SERVICE", shrink=8), Column("MODE"), Column("BIND", shrink=15)),
        *(Column("TEMPLATE", shrink=8), Column("POOLS", shrink=8), Column("STATE"), Column("SESSIONS", "right")),
    )
    rows = [
        (
            *(service.context, service.name, service.deployment_mode or "-", service.bind_address or "-"),
            *(service.crypto_template or "-", ", ".join(service.pools) or "-"),
            *("started" if service.started else "stopped", str(service.sessions)),
        )
        for service in found
    ]
    click.echo(table(columns, rows, output_width()) if rows else "no WSG services")


@show.command()
@json_option
@click.pass_obj
def processes(settings: Settings, as_json: bool) -> None:
    """Processes of the gateway.

    \f
    SHO-45.
    """
    found = list(state.processes(session(settings, lambda client: client.get(state.processes_filter()))))
    if as_json:
        emit_json([state.as_json(process) for process in found])
        return
    columns = (
        *(Column("PROCESS"), Column("STATE"), Column("PID", "right"), Column("UP", "right")),
        *(Column("RESTARTS", "right"), Column("CPU", "right"), Column("MEMORY", "right")),
    )
    rows = [
        (
            *(process.name, "up" if process.pid else "down", str(process.pid or "-"), human_seconds(process.up_time)),
            *(str(process.restarts), human_seconds(process.cpu_time), human_octets(process.resident_memory)),
        )
        for process in found
    ]
    click.echo(table(columns, rows, output_width()) if rows else "no processes")


@show.command()
@click.option(
    "--datastore",
    type=click.Choice(["running", "candidate", "startup"], case_sensitive=False),
    default="running",
    show_default=True,
)
@click.option("--xml", "form", flag_value="xml", help="XML instance data, as NETCONF has it.")
@click.option("--json", "form", flag_value="json", help="JSON instance data (RFC 7951).")
@click.pass_obj
def config(settings: Settings, datastore: str, form: str | None) -> None:
    """The configuration; as an outline unless --xml or --json is given.

    \f
    SHO-32.
    """
    data = session(settings, lambda client: client.get_config(datastore))
    if form == "xml":
        for child in data:
            etree.indent(child)
            click.echo(etree.tostring(child, encoding="unicode", with_tail=False).rstrip())
    elif form == "json":
        try:
            click.echo(xml_to_json(data).rstrip())
        except InstanceError as error:
            raise Failure(f"wsg: {error}", EXIT_REFUSED) from error
    else:
        click.echo(indent(outline(data)) or "the configuration is empty")
