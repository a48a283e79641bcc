"""The command against the real NETCONF agent, over a gateway core in memory."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from netconf.agent import Agent
from nf.config import transaction
from nf.config.snapshot import Endpoint
from nf.config.transaction import Change, Participant
from nf.datapath.port import Selector
from nf.ike.inputs import SaFilter
from nf.views import ChildSaView, GatewayViews, IkeSaView, PoolView, ServiceView, WorkerView
from wsg import cli

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "demo.json"
T = TypeVar("T")

ANY = Selector(0, 0, 65535, "10.0.0.0", "10.0.255.255")
CHILD = ChildSaView(
    spi_in=0xCAFEBABE,
    spi_out=16,
    payload="s1",
    state="installed",
    mode="tunnel",
    encr=20,
    key_bits=256,
    integ=0,
    ke_method=0,
    esn=True,
    encapsulation="udp",
    local_ts=(ANY,),
    remote_ts=(Selector(0, 0, 65535, "10.7.0.0", "10.7.0.255"),),
    sa_id_in=1,
    sa_id_out=2,
    age_s=5.5,
    soft_in_s=100.0,
    hard_in_s=None,
    packets_in=1500,
    octets_in=2097152,
    packets_out=7,
)
IKE_SA = IkeSaView(
    context="ran",
    service="sites",
    template="enodeb",
    worker=0,
    spi_i="1122334455667788",
    spi_r="00aabbccddeeff00",
    local_spi="00aabbccddeeff00",
    original_initiator=False,
    state="established",
    local="192.0.2.1",
    local_port=4500,
    remote="198.51.100.7",
    remote_port=4500,
    local_id="segw.example",
    remote_id="cell-7.example",
    remote_id_type="fqdn",
    encr=20,
    key_bits=256,
    prf=5,
    integ=0,
    ke_method=31,
    nat_local=False,
    nat_remote=True,
    age_s=65.0,
    rekey_in_s=None,
    inner_addresses=(),
    children=(CHILD,),
)


@dataclass
class Core:
    """A gateway core in memory: remembers what it was told."""

    participants: list[Participant] = field(default_factory=list)
    cleared: list[SaFilter] = field(default_factory=list)

    async def apply(self, change: Change, persist: Callable[[], Awaitable[None]]) -> None:
        await transaction.run(self.participants, change, persist)

    async def check(self, change: Change) -> None:
        pass

    async def views(self, *, sas: bool = True) -> GatewayViews:
        return GatewayViews(
            ike_sas=(IKE_SA,) if sas else (),
            pools=(PoolView("ran", "clients", 254, 6),),
            services=(ServiceView("ran", "sites", True, "192.0.2.1", 1),),
            workers=(WorkerView("ipsecmgr-0", 77, 61.5, 0, 2.5, 40 << 20),),
            up_s=62.0,
        )

    async def clear(self, which: SaFilter) -> int:
        self.cleared.append(which)
        return 3


class Wsg:
    """The agent in a thread, and the command on it."""

    def __init__(self, state_dir: Path) -> None:
        self.core = Core()
        self._state_dir = state_dir
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._agent = self._do(self._start())
        (endpoint,) = self._agent.endpoints
        self._port = endpoint.port

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> Agent:
        agent = Agent(self._state_dir, ROOT / "yang", self.core, listen_override=(Endpoint("127.0.0.1", 0),))
        self.core.participants.append(agent.listeners)
        await agent.load()
        return agent

    def __call__(self, *arguments: str) -> int:
        return cli.run(["--port", str(self._port), "--state-dir", str(self._state_dir), *arguments])

    def close(self) -> None:
        self._do(self._agent.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example without its listeners: the test's agent stays on its free port."""
    data = json.loads(EXAMPLE.read_text())
    system = data["openwsg-gateway:gateway"]["openwsg-system:system"]
    del system["netconf"], system["metrics"]
    path = tmp_path / "example.json"
    path.write_text(json.dumps(data))
    return path


@pytest.fixture
def wsg(tmp_path: Path) -> Iterator[Wsg]:
    running = Wsg(tmp_path / "state")
    yield running
    running.close()


def test_the_first_start_needs_no_option_but_the_state_directory(wsg, capsys) -> None:
    """The key pair that the agent made lets the command in, and its host key is known."""
    assert wsg("show", "tunnels") == 0
    (_, line) = capsys.readouterr().out.splitlines()
    assert line.split() == [
        *("sites", "198.51.100.7:4500", "cell-7.example", "10.7.0.0/24", "established", "1m05s"),
        *("1.50k", "7", "2.00Mi", "0"),
    ]


def test_commit_show_and_diff(wsg, capsys, tmp_path: Path, example: Path) -> None:
    """JSON in, outline, XML and JSON out; what is committed differs in nothing from what is shown."""
    assert wsg("validate", str(example)) == 0
    assert wsg("diff", str(example)) == 0
    assert "+     bind" in capsys.readouterr().out
    assert wsg("commit", str(example)) == 0
    assert capsys.readouterr().out == "committed\n"
    assert wsg("diff") == 0
    assert capsys.readouterr().out == "no difference\n"
    assert wsg("show", "config") == 0
    outline = capsys.readouterr().out
    assert "  wsg-service sites\n" in outline
    assert "(sealed)" in outline
    assert "replace me" not in outline
    assert wsg("show", "config", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    context = shown["openwsg-gateway:gateway"]["openwsg-context:context"][0]
    assert context["openwsg-wsg-service:wsg-service"][0]["bind"]["address"] == "192.0.2.1"
    assert wsg("show", "config", "--xml") == 0
    path = tmp_path / "again.xml"
    path.write_text(capsys.readouterr().out)
    assert wsg("diff", str(path)) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert wsg("diff", str(path), "--replace") == 0
    assert capsys.readouterr().out == "no difference\n"


def test_a_file_that_the_model_refuses(wsg, capsys, tmp_path: Path) -> None:
    """Every fault with its path; running and candidate are as before."""
    path = tmp_path / "bad.json"
    path.write_text(
        json.dumps(
            {
                "openwsg-gateway:gateway": {
                    "openwsg-context:context": [
                        {
                            "name": "ran",
                            "openwsg-wsg-service:wsg-service": [
                                {"name": "s", "bind": {"address": "192.0.2.1", "crypto-template": "missing"}}
                            ],
                        }
                    ]
                }
            }
        )
    )
    assert wsg("commit", str(path)) == 1
    message = capsys.readouterr().err
    assert "refused" in message
    assert "wsg-service[" in message
    assert "crypto-template" in message
    assert wsg("diff") == 0
    assert capsys.readouterr().out == "no difference\n"
    assert wsg("show", "config") == 0
    assert "context ran" not in capsys.readouterr().out


def test_replace_takes_away_what_is_not_in_the_file(wsg, capsys, tmp_path: Path, example: Path) -> None:
    assert wsg("commit", str(example)) == 0
    path = tmp_path / "small.json"
    path.write_text('{"openwsg-gateway:gateway": {"openwsg-system:system": {"hostname": "small.example"}}}')
    assert wsg("commit", str(path), "--replace") == 0
    capsys.readouterr()
    assert wsg("show", "config") == 0
    shown = capsys.readouterr().out
    assert "hostname small.example" in shown
    assert "wsg-service" not in shown


def test_show_sa_of_the_real_state(wsg, capsys) -> None:
    assert wsg("show", "sa", "00aabbccddeeff00") == 0
    text = capsys.readouterr().out
    assert "aes-256-gcm-128, sha2-256, group31" in text
    assert "in 0xcafebabe, out 0x00000010  installed, payload s1" in text
    assert "10.7.0.0/24" in text
    assert wsg("show", "sa", "--json") == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["child-sas"][0]["packets-in"] == 1500


def test_show_pools_services_and_processes(wsg, capsys, example: Path) -> None:
    assert wsg("commit", str(example)) == 0
    capsys.readouterr()
    assert wsg("show", "pools", "--json") == 0
    assert {pool["name"]: pool["used"] for pool in json.loads(capsys.readouterr().out)}["clients"] == 6
    assert wsg("show", "services", "--json") == 0
    services = {service["name"]: service for service in json.loads(capsys.readouterr().out)}
    assert services["sites"]["started"] is True
    assert services["sites"]["bind-address"] == "192.0.2.1"
    assert services["clients"]["pools"] == ["clients", "clients6"]
    assert wsg("show", "processes", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["resident-memory"] == 40 << 20


@pytest.mark.parametrize(
    ("arguments", "which"),
    [
        (("--all",), SaFilter()),
        (("--peer", "198.51.100.7"), SaFilter(peer="198.51.100.7")),
        (("--id", "cell-7.example"), SaFilter(remote_id="cell-7.example")),
        (("--spi", "aabbccddeeff00"), SaFilter(spi="00aabbccddeeff00")),
        (("--child-spi", "0xcafebabe"), SaFilter(child_spi=0xCAFEBABE)),
        (("--service", "sites", "--context", "ran"), SaFilter(service="sites", context="ran")),
    ],
)
def test_clear(wsg, capsys, arguments: tuple[str, ...], which: SaFilter) -> None:
    """EXE-01"""
    assert wsg("clear", "sa", "--yes", *arguments) == 0
    assert capsys.readouterr().out == "3 deleted\n"
    assert wsg.core.cleared == [which]


def test_a_bad_condition_is_refused_by_the_model(wsg, capsys) -> None:
    assert wsg("clear", "sa", "--yes", "--peer", "nonsense") == 1
    assert "nonsense" in capsys.readouterr().err
    assert wsg.core.cleared == []
