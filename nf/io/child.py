"""What every child process does: take its options, give up privileges, run a loop on its control channel until wsgd
is gone."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import uvloop

from nf.io import logs, privileges
from nf.ipc.channel import Channel, Reply
from nf.ipc.messages import Hello, Message, Ping

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """What wsgd tells a child on its command line. threads, offload and backend are the data path's; index and count
    a worker's."""

    name: str
    control_fd: int
    parent: int
    uid: int | None
    gid: int | None
    log_level: str
    index: int
    count: int
    threads: int
    offload: bool
    backend: str

    @classmethod
    def parse(cls, argv: list[str]) -> ChildOptions:
        """Leaves the process with status 2 on a wrong option, as argparse does."""
        parser = argparse.ArgumentParser(description="A child process of wsgd; not to be started by hand.")
        parser.add_argument("--name", required=True)
        parser.add_argument("--control-fd", type=int, required=True)
        parser.add_argument("--parent", type=int, required=True)
        parser.add_argument("--uid", type=int)
        parser.add_argument("--gid", type=int)
        parser.add_argument("--log-level", default="info")
        parser.add_argument("--index", type=int, default=0)
        parser.add_argument("--count", type=int, default=1)
        parser.add_argument("--threads", type=int, default=0)
        parser.add_argument("--no-offload", dest="offload", action="store_false")
        parser.add_argument("--backend", choices=("software", "fake"), default="software")
        return cls(**vars(parser.parse_args(argv)))


class ChildMain(Protocol):
    """The work of a child: it answers the control channel."""

    def handle(self, message: Message, fds: tuple[int, ...]) -> Reply | Awaitable[Reply]:
        """As `nf.ipc.channel.Handler`."""

    def start(self, control: Channel) -> None:
        """The channel is open; Hello is sent when this returns."""

    def close(self) -> None:
        """wsgd is gone or has said stop: release everything."""


def run(
    options: ChildOptions, make: Callable[[ChildOptions], ChildMain], prepare: Callable[[], None] = lambda: None
) -> None:
    """Run a child until its control channel closes; never returns with work left behind.

    prepare: what must happen while the child may still read the folder that it was installed in, which can be root's
    alone: loading everything that is loaded at first use.

    SIGINT and SIGTERM are wsgd's to handle: a terminal sends them to the whole group, and the stop is wsgd's decision.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logs.configure(options.log_level)
    prepare()
    privileges.drop(options.uid, options.gid)
    privileges.die_with_parent(options.parent)
    control = socket.socket(fileno=options.control_fd)
    control.set_inheritable(False)
    uvloop.run(_serve(options, control, make))


async def _serve(options: ChildOptions, control: socket.socket, make: Callable[[ChildOptions], ChildMain]) -> None:
    main = make(options)

    def handle(message: Message, fds: tuple[int, ...]) -> Reply | Awaitable[Reply]:
        return None if isinstance(message, Ping) else main.handle(message, fds)

    channel = Channel(control, handle, name=f"{options.name} control")
    try:
        main.start(channel)
        await channel.notify(Hello(options.name, os.getpid()))
        await channel.wait_closed()
    finally:
        channel.close()
        main.close()


def main(make: Callable[[ChildOptions], ChildMain], prepare: Callable[[], None] = lambda: None) -> None:
    """The `__main__` of a child module; an exception that ends it is logged on one line."""
    options = ChildOptions.parse(sys.argv[1:])
    try:
        run(options, make, prepare)
    except Exception:
        log.critical("child-failed", exc_info=True, extra={"fields": {"child": options.name}})
        sys.exit(1)
