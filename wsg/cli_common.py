"""What all commands of `wsg` share: where the gateway is, running a coroutine on a session, exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from wsg.cli_instance import InstanceError
from wsg.netconf_client import Client, ConnectError, RpcFailed, Target, connect

EXIT_OK = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of the command itself."""

    target: Target


class Failure(click.ClickException):
    """Ends the command with a message on stderr and one of our exit codes."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code

    def show(self, file: Any = None) -> None:
        """Print the message as it is; several lines for several errors."""
        click.echo(self.format_message(), err=True, file=file)


def session(settings: Settings, work: Callable[[Client], Awaitable[T]]) -> T:
    """Connect, do `work`, close; turns what goes wrong into a Failure."""

    async def run() -> T:
        async with await connect(settings.target) as client:
            return await work(client)

    try:
        return asyncio.run(run())
    except RpcFailed as error:
        lines = [f"wsg: {error.operation} was refused:", *(f"  {fault.text}" for fault in error.faults)]
        raise Failure("\n".join(lines), EXIT_REFUSED) from error
    except ConnectError as error:
        raise Failure(f"wsg: {error}", EXIT_UNREACHABLE) from error
    except InstanceError as error:
        raise Failure(f"wsg: {error}", EXIT_USAGE) from error


def emit_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def emit_lines(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        click.echo(line)
