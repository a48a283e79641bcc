"""The gateway under test: `wsgd` in a namespace, its state and its log in a directory of its own."""

from __future__ import annotations

import socket
import sys
import urllib.request
from pathlib import Path

from .net import LabError, Namespace, Process, children, cpu_seconds, resident_octets, wait_for
from .netconf import NetconfClient

ROOT = Path(__file__).resolve().parents[3]
NETCONF_PORT, METRICS_PORT = 830, 9814


class Wsgd:
    """One wsgd and its worker processes."""

    def __init__(
        self, namespace: Namespace, name: str = "wsgd", workers: int = 0, arguments: tuple[str, ...] = ()
    ) -> None:
        self.namespace, self.name = namespace, name
        self.directory = namespace.lab.directory / name
        self.directory.mkdir(exist_ok=True)
        self.state, self.run_dir = self.directory / "state", self.directory / "run"
        self.log = self.directory / "wsgd.log"
        self.admin_key = self.state / "admin_key"
        self._arguments, self._workers = arguments, workers
        self.process: Process | None = None

    @property
    def command(self) -> list[str]:
        """The words that start it."""
        workers = ["--workers", str(self._workers)] if self._workers else []
        return [
            sys.executable, "-m", "wsg.daemon",
            "--state-dir", str(self.state), "--run-dir", str(self.run_dir),
            "--netconf-listen", f"127.0.0.1:{NETCONF_PORT}", "--metrics-listen", f"127.0.0.1:{METRICS_PORT}",
            *workers, *self._arguments,
        ]  # fmt: skip

    def start(self, timeout_s: float = 20.0) -> Wsgd:
        """Start it, and wait until it accepts NETCONF sessions."""
        self.process = self.namespace.spawn(*self.command, log=self.log, cwd=ROOT)
        wait_for(f"wsgd to listen for NETCONF (log {self.log})", self._listens, timeout_s)
        return self

    def _listens(self) -> bool:
        assert self.process is not None
        if not self.process.running:
            raise LabError(f"wsgd ended at once:\n{self.tail()}")
        return self.admin_key.exists() and self.namespace.call(_can_connect)

    def stop(self) -> int:
        """SIGTERM, then its exit status."""
        return self.process.stop(timeout_s=15.0) if self.process else 0

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return self.process.tail(lines) if self.process else ""

    def netconf(self) -> NetconfClient:
        """A new NETCONF session as the administrator."""
        return NetconfClient(self.namespace, self.admin_key, port=NETCONF_PORT)

    def wsg(self, *argv: str, check: bool = True) -> str:
        """Run the command `wsg` beside it."""
        return self.namespace.run(*self.wsg_command, *argv, check=check, cwd=ROOT)

    @property
    def wsg_command(self) -> list[str]:
        installed = Path(sys.executable).parent / "wsg"
        command = [str(installed)] if installed.exists() else [sys.executable, "-m", "wsg.cli"]
        return [*command, "--state-dir", str(self.state)]

    def http(self, path: str) -> str:
        """GET from the metrics listener. Raises OSError (HTTPError among them)."""

        def get() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}{path}", timeout=10) as reply:
                return str(reply.read().decode())

        return self.namespace.call(get)

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics by name with labels, as they are written there."""
        found = {}
        for line in self.http("/metrics").splitlines():
            if line and not line.startswith("#"):
                sample, value = line.rsplit(" ", 1)
                found[sample] = float(value)
        return found

    def children(self, module: str = "") -> list[int]:
        """The pids of its worker processes; module: only those run as this Python module."""
        assert self.process is not None
        return [pid for pid in children(self.process.pid) if module in _command_line(pid)]

    def cpu_s(self, module: str = "") -> float:
        """CPU seconds of its worker processes so far."""
        return sum(cpu_seconds(pid) for pid in self.children(module))

    def rss_octets(self, module: str = "") -> int:
        """Resident memory of its worker processes."""
        return sum(resident_octets(pid) for pid in self.children(module))


def _can_connect() -> bool:
    try:
        socket.create_connection(("127.0.0.1", NETCONF_PORT), timeout=1).close()
    except OSError:
        return False
    return True


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
