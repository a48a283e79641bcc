"""kill -9 of an agent that commits: what a new one loads is the last commit or the one in progress, whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STEPS = ("opened", "half-written", "written", "synced", "renamed", "directory-synced", "noted")
CHILD = """
import asyncio, os, signal, sys
sys.path.insert(0, sys.argv[4])
from pathlib import Path
from conftest import YANG, MemoryGateway
from netconf.agent import Agent
from netconf.store import Author

async def main(state, die_at, die_in):
    gateway = MemoryGateway()
    agent = Agent(state, YANG, gateway)
    gateway.participants.append(agent.listeners)
    await agent.load()
    committer, stores = agent._committer, agent._datastores
    number = 0

    def step(name):
        if name == die_at and number == die_in:
            os.kill(os.getpid(), signal.SIGKILL)

    agent._store._on_step = step
    while True:
        number += 1
        body = '{"openwsg-gateway:gateway": {"openwsg-system:system": {"hostname": "h%d"}}}' % number
        async with stores.writing:
            stores.replace_candidate(agent._context.parse(body, "json"))
            await committer.commit_candidate(Author("child"))
        print(number, flush=True)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.parametrize("step", STEPS)
async def test_kill_at_every_step_of_a_commit(make_rig: Any, step: str) -> None:
    rig = make_rig()
    arguments = [sys.executable, "-c", CHILD, str(rig.state), step, "3", str(ROOT / "tests/netconf")]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout.split() == ["1", "2"]
    await rig.start()
    try:
        renamed = STEPS.index(step) >= STEPS.index("renamed")
        assert rig.agent.snapshot.system.hostname == ("h3" if renamed else "h2")
        assert rig.agent.stats().running_revision == (4 if renamed else 3)  # the first start made revision 1
    finally:
        await rig.stop()
