"""An ipsecmgr whose engine answers each datagram with `<worker>:` and the datagram: the processes without IKE.

It takes the same configuration as the real one, but refuses a context called "refused" and dies in the commit of one
called "deadly".
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import nf.io.ipsecmgr
from nf.config.snapshot import GatewaySnapshot
from nf.config.transaction import PrepareError
from nf.datapath.port import DatapathEvent, Direction, Sa, Selector
from nf.ike.actions import Action, AddRoutes, Event, EventName, InstallSa, RemoveSa, SendDatagram
from nf.ike.inputs import ClearSas, Command, NetworkPath
from nf.io.child import main


def compile_policy(
    snapshot: GatewaySnapshot, secrets: Mapping[str, bytes], worker_index: int, worker_count: int
) -> GatewaySnapshot:
    """The snapshot is the policy."""
    for context in snapshot.contexts:
        if context.name == "refused" and worker_index == worker_count - 1:
            raise PrepareError((f"context[name='{context.name}']",), "refused by a worker", error_tag="invalid-value")
    return snapshot


class EchoEngine:
    """Datagrams beginning with "install" make an SA and a route first, "exit" ends the process, "raise" raises."""

    def __init__(
        self, worker_index: int, worker_count: int, random: object, policy: GatewaySnapshot, now: float
    ) -> None:
        self._index = worker_index
        self._policy = policy
        self._actions: list[Action] = []
        self._sas: list[int] = []
        self.counters = {"datagrams-in": 0}

    def receive(self, datagram: bytes, path: NetworkPath, now: float) -> None:
        self.counters["datagrams-in"] += 1
        body = datagram[28:]
        if body.startswith(b"exit"):
            os._exit(3)
        if body.startswith(b"raise"):
            raise ZeroDivisionError
        if body.startswith(b"install"):
            self._install()
        revision = self._policy.revision
        reply = b"%d:%d:%s" % (self._index, revision, datagram)
        self._actions.append(SendDatagram(path, reply))

    def _install(self) -> None:
        number = len(self._sas) + 1
        sa_id = self._index << 56 | number
        inner = Selector(0, 0, 65535, f"10.{200 + self._index}.{number}.0", f"10.{200 + self._index}.{number}.255")
        sa = Sa(
            sa_id,
            Direction.INBOUND,
            0,
            (self._index + 1) << 24 | number,
            number,
            number,
            "127.0.0.1",
            "127.0.0.2",
            20,
            128,
            0,
            bytes(20),
            b"",
        )
        self._sas.append(sa_id)
        self._actions += [
            InstallSa(sa),
            AddRoutes(0, number, (inner,)),
            Event(EventName.CHILD_SA_UP, {"number": number}),
        ]

    def expire(self, now: float) -> None: ...

    def command(self, command: Command, now: float) -> int:
        count = len(self._sas)
        self._actions += [RemoveSa(sa_id) for sa_id in self._sas]
        self._sas.clear()
        return count if isinstance(command, ClearSas) else 0

    def datapath_event(self, event: DatapathEvent, now: float) -> None:
        if event.sa_id in self._sas:
            self._sas.remove(event.sa_id)

    def adopt(self, policy: GatewaySnapshot, now: float) -> None:
        if any(context.name == "deadly" for context in policy.contexts):
            os._exit(4)
        self._policy = policy

    def poll(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    def next_timeout(self) -> float | None:
        return None

    def views(self, now: float) -> tuple[object, ...]:
        return ()

    def pool_views(self) -> tuple[object, ...]:
        return ()

    def summary(self) -> dict[str, int]:
        return {"child-sas": len(self._sas)}


if __name__ == "__main__":
    nf.io.ipsecmgr.Engine = EchoEngine  # type: ignore[misc, assignment]
    nf.io.ipsecmgr.compile_policy = compile_policy  # type: ignore[assignment]
    main(nf.io.ipsecmgr.IpsecManager)
