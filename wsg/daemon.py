"""wsgd, the management process: composition root of the gateway (architecture section 2). Builds and wires, decides
nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import click

from netconf.agent import Agent, LoadError
from nf.config.transaction import CommitFailed, PrepareError
from telemetry import logs
from telemetry.exporter import MetricsExporter
from wsg import preflight
from wsg.gateway import Gateway, GatewaySettings
from wsg.management_view import management_view
from wsg.metrics_override import MetricsOverride
from wsg.options import MAX_WORKERS, PACKAGED_YANG, Options, cores, endpoint, parse, user, variable
from wsg.supervisor import ChildSettings
from wsg.version import version

log = logging.getLogger("wsg.daemon")

STOP_GRACE_S = 5.0
MAX_THREADS = 8


class CannotStart(Exception):
    """wsgd gives up; the text says what is missing."""


class Daemon:
    """One wsgd from start to stop."""

    def __init__(self, options: Options) -> None:
        self._options = options
        uid, gid = _child_identity(options)
        self.gateway = Gateway(
            GatewaySettings(
                workers=options.workers,
                threads=options.threads or min(cores(), MAX_THREADS),
                children=ChildSettings(uid, gid, options.log_level),
                backend=options.backend,
                steer=options.steering,
                offload=options.offload,
            )
        )
        self.agent = Agent(
            options.state_dir,
            options.yang_dir,
            self.gateway,
            master_key_file=options.master_key_file,
            listen_override=options.netconf_listen,
        )
        self.exporter = MetricsExporter(
            lambda: self.gateway.views(sas=False),
            lambda: management_view(self.agent.stats()),
            version=version(),
            reasons=self.gateway.not_ready,
        )
        self.gateway.add_participant(MetricsOverride(self.exporter, options.metrics_listen))
        self.gateway.add_participant(self.agent.listeners)

    async def start(self) -> None:
        """Raises CannotStart."""
        try:
            await self.gateway.open()
            await self.agent.load(self._options.factory_default, self._options.variables)
        except (LoadError, PrepareError, CommitFailed, TimeoutError, OSError) as error:
            raise CannotStart(str(error)) from error

    async def stop(self) -> None:
        """Say goodbye and leave nothing behind: sessions, peers, children, devices."""
        self.exporter.draining()
        await self.agent.close()
        await self.gateway.stop(STOP_GRACE_S)
        await self.exporter.stop()


def _child_identity(options: Options) -> tuple[int | None, int | None]:
    """Who the children become: --user, else nobody when we are root."""
    if options.user is not None:
        return options.user
    if os.geteuid() != 0:
        return None, None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return nobody.pw_uid, nobody.pw_gid


async def run(options: Options) -> int:
    """Start, serve until SIGTERM or SIGINT, stop; the exit status. Raises CannotStart before anything was started."""
    started_at = time.monotonic()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        daemon = Daemon(options)
    except LoadError as error:
        raise CannotStart(str(error)) from error
    starting = asyncio.create_task(daemon.start())
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((starting, waiting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            fields = {
                "version": version(),
                "workers": len(daemon.gateway.workers),
                "netconf": " ".join(f"[{e.address}]:{e.port}" for e in daemon.agent.endpoints),
                "metrics": " ".join(f"[{host}]:{port}" for host, port in daemon.exporter.addresses),
                "after_s": round(time.monotonic() - started_at, 3),
            }
            log.info("ready", extra={"fields": fields})
            _notify_service_manager("READY=1")
            await stopping.wait()
        log.info("stopping")
        _notify_service_manager("STOPPING=1")
        return 0
    except CannotStart as error:
        log.critical("cannot-start", extra={"fields": {"why": str(error)}})
        return 1
    finally:
        starting.cancel()
        waiting.cancel()
        await asyncio.gather(starting, waiting, return_exceptions=True)
        await daemon.stop()
        log.info("stopped")


def _notify_service_manager(state: str) -> None:
    """sd_notify(3), where systemd asks for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            log.warning("service-manager-not-told", extra={"fields": {"why": error.strerror or ""}})


def _make_directories(options: Options) -> None:
    for directory in (options.state_dir, options.run_dir):
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CannotStart(f"directory {directory} cannot be made: {error.strerror}") from None
        if not os.access(directory, os.W_OK):
            raise CannotStart(f"directory {directory} cannot be written by uid {os.geteuid()}")


@click.command()
@click.option(
    "--state-dir", type=click.Path(path_type=Path, file_okay=False), default="/var/lib/openwsg", show_default=True
)
@click.option("--run-dir", type=click.Path(path_type=Path, file_okay=False), default="/run/openwsg", show_default=True)
@click.option(
    "--factory-default",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="First configuration: JSON or XML instance data.",
)
@click.option(
    "--factory-var", type=variable, metavar="NAME=VALUE", multiple=True, help="Replaces @NAME@ in the factory default."
)
@click.option(
    "--master-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Key of the sealed secrets.  [default: in the state directory]",
)
@click.option(
    "--netconf-listen",
    type=endpoint,
    metavar="ADDR:PORT",
    multiple=True,
    help="Where NETCONF listens while the configuration says nothing of its own.",
)
@click.option(
    "--metrics-listen", type=endpoint, metavar="ADDR:PORT", multiple=True, help="The same for metrics and health."
)
@click.option(
    "--workers",
    type=click.IntRange(0, MAX_WORKERS),
    default=0,
    help="ipsecmgr processes; 0 is what the configuration says, or one a core.",
    show_default=True,
)
@click.option(
    "--threads",
    type=click.IntRange(0, MAX_THREADS),
    default=0,
    help="Data path threads for each direction; 0 is one a core.",
    show_default=True,
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--user", type=user, metavar="USER", help="Who the child processes become.  [default: nobody, when started as root]"
)
@click.option(
    "--yang-dir", type=click.Path(path_type=Path, exists=True, file_okay=False), default=PACKAGED_YANG, hidden=True
)
@click.option(
    "--steering/--no-steering", default=True, hidden=True, help="Steer datagrams to their worker in the kernel."
)
@click.option("--offload/--no-offload", default=True, hidden=True, help="Segmentation offload of TUN and UDP.")
@click.option("--backend", type=click.Choice(["software", "fake"]), default="software", hidden=True)
@click.version_option(version(), prog_name="wsgd")
def main(**arguments: Any) -> None:
    """The management process of OpenWSG: NETCONF, supervision, metrics. Runs in the foreground until SIGTERM."""
    options = parse(arguments)
    logs.configure(options.log_level, "json" if options.log_format == "json" else "text")
    gaps = preflight.missing(software=options.backend == "software")
    for gap in gaps:
        log.critical("cannot-start", extra={"fields": {"why": gap}})
    if gaps:
        sys.exit(1)
    try:
        _make_directories(options)
        status = asyncio.run(run(options))
    except CannotStart as error:
        log.critical("cannot-start", extra={"fields": {"why": str(error)}})
        sys.exit(1)
    sys.exit(status)


if __name__ == "__main__":
    main()
