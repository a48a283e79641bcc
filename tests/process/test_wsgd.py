"""wsgd as a program: start, ready, stop, and what a kill leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.root, pytest.mark.xdist_group("wsgd")]


class Program:
    """A running wsgd with its log, a JSON object a line."""

    def __init__(self, directory: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.log = directory / "log"
        words = ("--state-dir", str(directory / "state"), "--run-dir", str(directory / "run"), "--log-format", "json")
        listen = ("--netconf-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "wsg.daemon", *words, *listen, *arguments],
                cwd=ROOT,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
            )

    def events(self, name: str = "") -> list[dict[str, object]]:
        """The log so far: every line is JSON."""
        found = [json.loads(line) for line in self.log.read_text().splitlines() if line]
        return [entry for entry in found if not name or entry["event"] == name]

    def wait(self, name: str, count: int = 1, seconds: float = 30.0) -> dict[str, object]:
        """The fields of the `count`th event of a name."""
        deadline = time.monotonic() + seconds
        while len(self.events(name)) < count:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return dict(self.events(name)[count - 1].get("fields", {}))  # type: ignore[call-overload]

    def children(self) -> list[int]:
        """The pids of its child processes."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def get(self, path: str) -> tuple[int, str]:
        """GET from the metrics listener."""
        address = str(self.wait("ready")["metrics"]).replace("[127.0.0.1]", "127.0.0.1")
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def wsgd(netns: None, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts programs; at the end each is killed, by its own pid."""
    made: list[Program] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> Program:
        made.append(Program(tmp_path, *arguments, env=env))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_ready_and_stops_cleanly(wsgd, tools, number: int) -> None:
    one = wsgd("--workers", "2")
    ready = one.wait("ready")
    assert ready["workers"] == 2
    children = one.children()
    assert len(children) == 3
    assert one.get("/readyz") == (200, "ready\n")
    one.process.send_signal(number)
    assert one.process.wait(20) == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert [entry["event"] for entry in one.events()][-1] == "stopped"
    assert not [entry for entry in one.events() if entry["level"] in ("error", "critical")]


def test_the_configuration_says_how_many_workers(wsgd, tmp_path) -> None:
    first = json.loads((ROOT / "yang" / "factory-default.json").read_text())
    first["openwsg-gateway:gateway"]["openwsg-system:system"]["ipsec-managers"] = 3
    (tmp_path / "first.json").write_text(json.dumps(first))
    one = wsgd("--factory-default", str(tmp_path / "first.json"))
    assert one.wait("ready")["workers"] == 3


def test_a_second_start_finds_what_the_first_one_kept(wsgd) -> None:
    one = wsgd("--workers", "1")
    one.wait("ready")
    one.process.terminate()
    assert one.process.wait(20) == 0
    again = wsgd("--workers", "1")
    again.wait("ready", count=2)
    commits = again.events("commit")
    assert len(commits) <= 2
    again.process.terminate()
    assert again.process.wait(20) == 0


def test_a_killed_wsgd_leaves_no_child(wsgd, tools) -> None:
    one = wsgd("--workers", "2")
    one.wait("ready")
    children = one.children()
    one.process.kill()
    one.process.wait(10)
    assert all(tools.wait_gone(pid) for pid in children)
    again = wsgd("--workers", "2")  # and nothing of it is in the way
    again.wait("ready", count=2)


@pytest.mark.parametrize("which", [0, 1], ids=["datapath", "ipsecmgr"])
def test_a_killed_child_is_restarted_and_readiness_follows(wsgd, tools, which: int) -> None:
    one = wsgd("--workers", "1")
    one.wait("ready")
    victims = {entry["fields"]["child"]: entry["fields"]["pid"] for entry in one.events("child-up")}
    name = ("datapath", "ipsecmgr-0")[which]
    os.kill(victims[name], signal.SIGKILL)
    assert one.wait("child-exited")["status"] == -9
    fields = one.wait("child-up", count=3)
    assert fields["child"] == name
    assert fields["pid"] != victims[name]
    deadline = time.monotonic() + 10
    while one.get("/readyz")[0] != 200:
        assert time.monotonic() < deadline
    assert f'openwsg_worker_restarts_total{{worker="{name}"}} 1' in one.get("/metrics")[1]


def test_a_stop_while_starting_is_clean(wsgd) -> None:
    one = wsgd("--workers", "2")
    deadline = time.monotonic() + 20
    while not any(b"nf.io" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in one.children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    one.process.terminate()
    assert one.process.wait(20) in (0, 1)
    assert not [entry for entry in one.events() if "traceback" in entry]


def test_it_says_what_it_misses(netns, tmp_path) -> None:
    """Without capabilities, though it owns what only root may read: one sentence each, and a status that is not 0."""
    drop = (
        "import os, sys, runpy; sys.path.insert(0, sys.argv[1]); import wsg.daemon;"
        "from nf.io import privileges; privileges.drop(None, None);"
        "sys.argv = ['wsgd', '--state-dir', sys.argv[2], '--run-dir', sys.argv[2]]; wsg.daemon.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", drop, str(ROOT), str(tmp_path / "state")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    for what in ("NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE"):
        assert f"capability {what} is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_master_key_that_is_none_is_one_line(wsgd, tmp_path) -> None:
    """Said in one event, and no traceback."""
    key = tmp_path / "key"
    key.write_bytes(b"too short")
    one = wsgd("--master-key-file", str(key))
    assert one.process.wait(30) == 1
    (entry,) = one.events()
    assert entry["event"] == "cannot-start"
    assert str(key) in str(entry["fields"])


def test_the_service_manager_is_told(wsgd, tmp_path) -> None:
    """sd_notify(3): READY=1 once, STOPPING=1 at the end."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        one = wsgd("--workers", "1", env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
        one.process.terminate()
        assert manager.recv(100) == b"STOPPING=1"
        assert one.process.wait(20) == 0
