"""The durable store: whole or not at all, at every instant (architecture section 3)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netconf.store import Author, Store, Stored, StoreError

STEPS = ("opened", "half-written", "written", "synced", "renamed", "directory-synced", "noted")
CHILD = """
import os, signal, sys
from pathlib import Path
from netconf.store import Author, Store, Stored
directory, die_at, die_in = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
revision = 0
def step(name):
    if name == die_at and revision == die_in:
        os.kill(os.getpid(), signal.SIGKILL)
store = Store(directory, on_step=step)
was = store.read("running")
revision = was.revision if was else 0
while True:
    revision += 1
    body = '{"revision": %d, "padding": "%s"}' % (revision, str(revision % 10) * 50000)
    store.write("running", Stored(revision, "2026-11-22T00:00:00Z", Author("u", 1), body), [("changed", "/t:top")])
    print(revision, flush=True)
"""


def stored(revision: int, body: str = "{}") -> Stored:
    return Stored(revision, "2026-11-22T00:00:00Z", Author("fred", 3), body)


def whole(directory: Path) -> int:
    """The revision that loads, after checking that its body is that revision's, from end to end."""
    found = Store(directory).read("running")
    if found is None:
        return 0
    digit = str(found.revision % 10)
    assert found.body == f'{{"revision": {found.revision}, "padding": "{digit * 50000}"}}'
    return found.revision


def spawn(directory: Path, die_at: str = "", die_in: int = 0) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", CHILD, str(directory), die_at, str(die_in)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def test_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read("running") is None
    store.write("running", stored(1, '{"a": "é"}'), [("created", "/x")])
    assert Store(tmp_path).read("running") == stored(1, '{"a": "é"}')
    assert oct((tmp_path / "running.cfg").stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("die_in", [1, 3])
@pytest.mark.parametrize("step", STEPS)
def test_kill_at_every_step_of_a_write(tmp_path: Path, step: str, die_in: int) -> None:
    """A child kills itself right after `step` of write `die_in`: the one before or this one loads, whole;
    acknowledged ones stay."""
    child = spawn(tmp_path, step, die_in)
    assert child.stdout is not None
    acknowledged = [int(line) for line in child.stdout]
    assert child.wait(30) == -signal.SIGKILL
    assert acknowledged == list(range(1, die_in))
    renamed = STEPS.index(step) >= STEPS.index("renamed")
    assert whole(tmp_path) == (die_in if renamed else die_in - 1)
    Store(tmp_path).write("running", stored(99), None)
    assert [path.name for path in tmp_path.glob("*.new")] == []


@pytest.mark.slow
def test_kill_at_random_instants(tmp_path: Path) -> None:
    """kill -9 from outside, again and again, over the same directory."""
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    for _ in range(12):
        before = whole(tmp_path)
        child = spawn(tmp_path)
        assert child.stdout is not None
        child.stdout.readline()  # it is writing now
        deadline = time.monotonic() + chance.random() * 0.03
        while time.monotonic() < deadline:
            pass
        child.kill()
        acknowledged = [int(line) for line in child.stdout.read().split()]
        child.wait(30)
        after = whole(tmp_path)
        assert after >= max([before, *acknowledged]), seed


def test_damage_is_refused_not_guessed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("running", stored(1, '{"a": 1}'))
    octets = (tmp_path / "running.cfg").read_bytes()
    for broken in (octets[:-1], octets + b" ", octets.replace(b'"a"', b'"b"'), b"", b"{}\n{}", b"\xff", octets[20:]):
        (tmp_path / "running.cfg").write_bytes(broken)
        with pytest.raises(StoreError, match=r"running\.cfg"):
            store.read("running")
    (tmp_path / "running.cfg").write_bytes(octets.replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(StoreError, match="format"):
        store.read("running")


def test_history_has_paths_and_no_values(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("running", stored(1, '{"key": "hush"}'), [("changed", "/t:top/s")])
    store.write("running", stored(2), None)
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"revision": 3, "ti')
    first, second = store.history()
    assert first == {
        "revision": 1,
        "time": "2026-11-22T00:00:00Z",
        "user": "fred",
        "session-id": 3,
        "changed": 1,
        "changes": ["changed /t:top/s"],
    }
    assert (second["changed"], second["changes"]) == (None, [])
    assert "hush" not in (tmp_path / "history.jsonl").read_text()


def test_delete(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.delete("startup")
    store.write("startup", stored(1))
    store.delete("startup")
    assert store.read("startup") is None


def test_a_write_that_fails_leaves_the_old(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("running", stored(1))

    def broken(step: str) -> None:
        if step == "written":
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Store(tmp_path, on_step=broken).write("running", stored(2))
    assert Store(tmp_path).read("running") == stored(1)
