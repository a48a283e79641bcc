"""Network namespaces, links and processes with one owner, who removes exactly what it made."""

# ruff: noqa: S603, S607 - running commands is what this is for
from __future__ import annotations

import atexit
import contextlib
import ctypes
import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)
_HZ = os.sysconf("SC_CLK_TCK")


class LabError(Exception):
    """A step of the laboratory failed; the text says which and why."""


def wait_for(what: str, test: Callable[[], T], timeout_s: float = 10.0, every_s: float = 0.05) -> T:
    """Poll `test` until it gives something true, and return that. Raises LabError naming `what` after timeout_s."""
    end = time.monotonic() + timeout_s
    while True:
        found = test()
        if found:
            return found
        if time.monotonic() > end:
            raise LabError(f"waited {timeout_s:g} s for {what}")
        time.sleep(every_s)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A process started in a namespace, its output in a file; ends by pid, and never touches another."""

    def __init__(self, popen: subprocess.Popen[bytes], name: str, log: Path | None) -> None:
        self.popen, self.name, self.log, self.pid = popen, name, log, popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.running:
            self.popen.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 8.0) -> int:
        """Ask the process to end, then insist; its exit status."""
        if self.running:
            self.popen.send_signal(signal.SIGCONT)
            self.popen.send_signal(number)
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def tail(self, lines: int = 15) -> str:
        """The last lines of its output."""
        if self.log is None or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def cpu_s(self) -> float:
        return cpu_seconds(self.pid)

    @property
    def rss_octets(self) -> int:
        return resident_octets(self.pid)


def cpu_seconds(pid: int) -> float:
    """User and system CPU time of a process so far, all its threads included (ticks of 10 ms); 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _HZ


def resident_octets(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def children(pid: int) -> list[int]:
    """The pids of all descendants of a process, nearest first."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    except OSError:
        return found
    for child in list(found):
        found += children(child)
    return found


class Namespace:
    """One network namespace of a Lab."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name
        self.full_name = f"{lab.prefix}-{name}"

    def __repr__(self) -> str:
        return f"Namespace({self.full_name})"

    def command(self, *argv: str) -> list[str]:
        """The words that run argv in the namespace."""
        return ["ip", "netns", "exec", self.full_name, *argv]

    def run(
        self, *argv: str, check: bool = True, timeout_s: float = 30.0, stdin: str | None = None, cwd: Path | None = None
    ) -> str:
        """Run a command to its end; its standard output. Raises LabError with what it said when it fails."""
        try:
            done = subprocess.run(
                self.command(*argv),
                capture_output=True,
                text=True,
                timeout=timeout_s,
                input=stdin,
                check=False,
                cwd=cwd,
            )
        except subprocess.TimeoutExpired as late:
            raise LabError(f"{' '.join(argv)} in {self.name}: no end after {timeout_s:g} s") from late
        if check and done.returncode != 0:
            said = done.stderr.strip() or done.stdout[-2000:]
            raise LabError(f"{' '.join(argv)} in {self.name}: status {done.returncode}: {said}")
        return done.stdout

    def spawn(
        self, *argv: str, log: Path | None = None, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> Process:
        """Start a command that stays; the Lab stops it at its end."""
        out = log.open("ab") if log else subprocess.DEVNULL
        try:
            popen = subprocess.Popen(
                self.command(*argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                preexec_fn=None if self.lab.keep else _die_with_parent,
                start_new_session=self.lab.keep,
            )
        finally:
            if log:
                out.close()  # type: ignore[union-attr]
        process = Process(popen, f"{Path(argv[0]).name} in {self.name}", log)
        self.lab.processes.append(process)
        return process

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in a thread inside the namespace: sockets it opens stay there. Raises what it raises."""
        results: list[T] = []
        errors: list[BaseException] = []

        def body() -> None:
            try:
                with open(f"/run/netns/{self.full_name}") as handle:
                    if _libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                results.append(function())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def address(self, interface: str, *addresses: str) -> None:
        """Give an interface addresses (with prefix length) and set it up. IPv6 ones are usable at once (no DAD)."""
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            self.run("ip", "addr", "add", address, "dev", interface, *extra)
        self.run("ip", "link", "set", interface, "up")

    def route(self, prefix: str, via: str) -> None:
        self.run("ip", *(["-6"] if ":" in via else []), "route", "replace", prefix, "via", via)

    def sysctl(self, **values: str | int) -> None:
        """Set sysctls; double underscores in the names stand for dots."""
        self.run("sysctl", "-q", "-w", *(f"{name.replace('__', '.')}={value}" for name, value in values.items()))

    def nft(self, rules: str) -> None:
        """Load an nftables rule set."""
        self.run("nft", "-f", "-", stdin=rules)


class Lab:
    """All namespaces and processes of one run; a context manager. `keep` leaves everything in place at the end."""

    def __init__(self, prefix: str, directory: Path, keep: bool = False) -> None:
        if os.geteuid() != 0:
            raise LabError("network namespaces need root: run this as root (sudo)")
        self.prefix = f"{prefix}{os.getpid()}.{next(_numbers)}"
        self.directory = directory
        self.keep = keep
        self.namespaces: dict[str, Namespace] = {}
        self.processes: list[Process] = []
        self._bridges = 0
        directory.mkdir(parents=True, exist_ok=True)
        atexit.register(self.close)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.keep:
            self.close()

    def namespace(self, name: str, forward: bool = False) -> Namespace:
        """Make a namespace with loopback up; `forward` lets it route."""
        found = Namespace(self, name)
        _ip("netns", "add", found.full_name)
        self.namespaces[name] = found
        found.run("ip", "link", "set", "lo", "up")
        # A strict reverse-path check would drop what tunnels deliver.
        found.sysctl(net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__default__rp_filter=0)
        if forward:
            found.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        return found

    def bridge(self, name: str) -> Namespace:
        """A namespace that is an Ethernet switch; `attach` plugs others into it."""
        found = self.namespace(name)
        found.run("ip", "link", "add", "br0", "type", "bridge")
        found.run("ip", "link", "set", "br0", "up")
        return found

    def attach(self, namespace: Namespace, bridge: Namespace, interface: str, *addresses: str) -> None:
        """Join a namespace to a bridge by an interface with addresses."""
        self._bridges += 1
        port = f"p{self._bridges}"
        _ip(
            "link",
            "add",
            interface,
            "netns",
            namespace.full_name,
            "type",
            "veth",
            "peer",
            "name",
            port,
            "netns",
            bridge.full_name,
        )
        bridge.run("ip", "link", "set", port, "master", "br0", "up")
        namespace.address(interface, *addresses)

    def link(
        self,
        one: Namespace,
        interface: str,
        addresses: Sequence[str],
        other: Namespace,
        other_interface: str,
        other_addresses: Sequence[str],
    ) -> None:
        """Join two namespaces by a pair of interfaces."""
        _ip(
            "link", "add", interface, "netns", one.full_name, "type", "veth",
            "peer", "name", other_interface, "netns", other.full_name,
        )  # fmt: skip
        one.address(interface, *addresses)
        other.address(other_interface, *other_addresses)

    def close(self) -> None:
        """Stop the processes and remove the namespaces of this Lab. Safe to call twice."""
        if self.keep:
            return
        for process in reversed(self.processes):
            with contextlib.suppress(OSError):
                process.stop()
        self.processes.clear()
        remove_namespaces([namespace.full_name for namespace in reversed(self.namespaces.values())])
        self.namespaces.clear()
        atexit.unregister(self.close)


def remove_namespaces(names: Sequence[str]) -> None:
    """Remove namespaces of a Lab, and end what still runs in them: nobody else is in there."""
    for name in names:
        found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
        pids = [int(word) for word in found.stdout.split()]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            end = time.monotonic() + 5
            while (pids := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and time.monotonic() < end:
                time.sleep(0.02)
        with contextlib.suppress(LabError):
            _ip("netns", "del", name)


@contextlib.contextmanager
def end_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that a Lab is closed on them as on Ctrl-C."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ip(*argv: str) -> None:
    done = subprocess.run(["ip", *argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"ip {' '.join(argv)}: {done.stderr.strip()}")
