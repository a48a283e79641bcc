"""`wsg commit`, `validate`, `diff` and `clear`: what changes the gateway, or would."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from wsg.cli_common import EXIT_USAGE, Failure, Settings, emit_lines, session
from wsg.cli_instance import InstanceError, load
from wsg.cli_state import NS
from wsg.cli_tree import difference, outline
from wsg.netconf_client import Client, quote

# What is no readable file, `load` says, and says what to do.
file_type = click.Path(exists=True, readable=False, path_type=Path)
file_argument = click.argument("file", type=file_type)
replace_option = click.option("--replace", is_flag=True, help="FILE is the whole configuration, not an addition.")


def _load(path: Path) -> str:
    try:
        return load(path)
    except InstanceError as error:
        raise Failure(f"wsg: {error}", EXIT_USAGE) from error


@click.command()
@file_argument
@replace_option
@click.option("--no-validate", is_flag=True, help="Do not validate before the commit (which validates all the same).")
@click.pass_obj
def commit(settings: Settings, file: Path, replace: bool, no_validate: bool) -> None:
    """Put the instance data of FILE (XML or JSON) in force: lock, edit, validate, commit, unlock; all of it or
    nothing.
    """
    config = _load(file)

    async def work(client: Client) -> None:
        async with client.locked():
            await client.edit_config(config, replace=replace)
            if not no_validate:
                await client.validate()
            await client.call("commit")

    session(settings, work)
    click.echo("committed")


@click.command()
@file_argument
@replace_option
@click.pass_obj
def validate(settings: Settings, file: Path, replace: bool) -> None:
    """Ask the gateway whether it would take FILE, and change nothing."""
    config = _load(file)

    async def work(client: Client) -> None:
        async with client.locked():
            await client.edit_config(config, replace=replace)
            await client.validate()
            await client.call("discard-changes")

    session(settings, work)
    click.echo("valid")


@click.command()
@click.argument("file", type=file_type, required=False)
@replace_option
@click.pass_obj
def diff(settings: Settings, file: Path | None, replace: bool) -> None:
    """What a commit would change: of the candidate, or with FILE of `wsg commit FILE`. Exits with 0 in either case."""
    if replace and file is None:
        raise click.UsageError("--replace needs a FILE")
    config = _load(file) if file else None

    async def work(client: Client) -> list[str]:
        running = outline(await client.get_config("running"))
        if config is None:
            return difference(running, outline(await client.get_config("candidate")))
        async with client.locked():
            await client.edit_config(config, replace=replace)
            after = outline(await client.get_config("candidate"))
            await client.call("discard-changes")
        return difference(running, after)

    emit_lines(session(settings, work) or ["no difference"])


@click.group()
def clear() -> None:
    """Clear operational state."""


@clear.command("sa")
@click.option("--all", "everything", is_flag=True, help="Every IKE SA.")
@click.option("--peer", help="Of the peer with this address.")
@click.option("--id", "identity", help="Of the peer with this IKE identity.")
@click.option("--spi", help="The IKE SA with this SPI of the gateway (16 hexadecimal digits).")
@click.option("--child-spi", help="Only the Child SA with this inbound SPI (decimal, or 0x and hexadecimal).")
@click.option("--service", help="Of this WSG service.")
@click.option("--context", help="Of this context.")
@click.option("--template", help="Of this crypto template.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def clear_sa(settings: Settings, /, everything: bool, yes: bool, **conditions: str | None) -> None:
    """Delete IKE SAs and tell the peers. All conditions given must hold.

    \f
    EXE-01.
    """
    given = {name: value for name, value in conditions.items() if value is not None}
    if everything and given:
        raise click.UsageError("--all goes with no other condition")
    if not everything and not given:
        raise click.UsageError("say which: --all, --peer, --id, --spi, --child-spi, --service, --context or --template")
    if "spi" in given:
        given["spi"] = given["spi"].lower().removeprefix("0x").zfill(16)
    if "child_spi" in given:
        given["child_spi"] = _child_spi(given["child_spi"])
    leaves = {
        "peer": "peer",
        "identity": "remote-identity",
        "spi": "local-spi",
        "child_spi": "child-sa-spi",
        "service": "wsg-service",
        "context": "context",
        "template": "crypto-template",
    }
    what = ", ".join(f"{leaves[name]} {value}" for name, value in given.items()) or "all"
    if not yes:
        if not _at_terminal():
            raise click.UsageError("nobody can be asked here: give --yes")
        click.confirm(f"Delete the security associations of {what}?", abort=True)
    body = "".join(f"<{leaves[name]}>{quote(value)}</{leaves[name]}>" for name, value in given.items()) or "<all/>"
    operation = "clear-security-association"
    xml = f'<{operation} xmlns="{NS}security-association">{body}</{operation}>'

    async def work(client: Client) -> str:
        reply = await client.call_xml(operation, xml)
        return (reply.findtext("{*}deleted") or "").strip()

    deleted = session(settings, work)
    click.echo(f"{deleted or 'an unknown number of'} deleted")


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _child_spi(text: str) -> str:
    try:
        number = int(text, 0)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no number", param_hint="--child-spi") from None
    if not 1 <= number <= 0xFFFFFFFF:
        raise click.BadParameter(f"{text} is not between 1 and 0xffffffff", param_hint="--child-spi")
    return str(number)
