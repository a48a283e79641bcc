"""A peer of our own engine and data path that uses native ESP (IP protocol 50), run as a script in a namespace.

For what no packaged peer can do here: strongSwan's kernel-libipsec always asks for UDP encapsulation, and the kernel
has no ESP. It initiates one site-to-site IKE SA, prints `up` when the Child SA is there, and works until SIGTERM.
"""

from __future__ import annotations

import argparse
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from nf.config.snapshot import (
    AddressRange,
    Authentication,
    Context,
    CryptoTemplate,
    GatewaySnapshot,
    IkeIdentity,
    IkeSaParameters,
    IkeTransformSet,
    IpsecTransformSet,
    Payload,
    WsgService,
)
from nf.datapath.software import SoftwareDatapath
from nf.ike.actions import AddRoutes, Event, EventName, InstallSa, RemoveSa, SendDatagram, UpdateSaPath
from nf.ike.engine import Engine
from nf.ike.inputs import Initiate, NetworkPath
from nf.io.random import SystemRandom
from nf.io.sockets import OUTER_MARK
from nf.io.tun import open_tun
from nf.policy.compile import compile_policy

_SO_MARK = 36


def snapshot(local: str, identity: str, first: str, last: str) -> GatewaySnapshot:
    """One site-to-site service that protects a range: AES-256-GCM, PRF-HMAC-SHA2-384, X25519."""
    template = CryptoTemplate(
        "peer",
        "site",
        ikesa=IkeSaParameters((IkeTransformSet("ike", 20, 256, 6, 0, 31),)),
        authentication=Authentication(local_psk="psk", remote_psk="psk"),
        local_identity=IkeIdentity("fqdn", identity),
        payloads=(
            Payload("all", transform_sets=(IpsecTransformSet("esp", 20, 256, 0),), tsr=(AddressRange(first, last),)),
        ),
    )
    service = WsgService("peer", "site", "site-to-site", local, "site")
    return GatewaySnapshot(1, contexts=(Context("peer", 0, templates=(template,), services=(service,)),))


class Peer:
    """The engine with a socket for port 500, a raw socket for ESP and a TUN."""

    def __init__(self, local: str, identity: str, psk: str, first: str, last: str) -> None:
        self.local = local
        policy = compile_policy(snapshot(local, identity, first, last), {"psk": psk.encode()}, 0, 1)
        self.engine = Engine(0, 1, SystemRandom(), policy, time.monotonic())
        self.datapath = SoftwareDatapath(threads=1)
        self.tun = open_tun("esp0", 1)
        self.datapath.add_tun(0, self.tun.fds, self.tun.mtu)
        self.ike = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.ike.bind((local, 500))
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
        self.raw.bind((local, 0))
        for sock in (self.ike, self.raw):
            sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, OUTER_MARK)
        self.datapath.add_raw(0, local, 4, self.raw.fileno())

    def run(self, remote: str) -> None:
        """Initiate, then serve."""
        if not self.engine.command(Initiate("peer", "site", remote), time.monotonic()):
            raise SystemExit("the engine does not initiate")
        while True:
            self._carry_out()
            at = self.engine.next_timeout()
            wait = 1.0 if at is None else min(1.0, max(0.0, at - time.monotonic()))
            ready, _, _ = select.select([self.ike.fileno(), self.datapath.event_fd()], [], [], wait)
            now = time.monotonic()
            if self.ike.fileno() in ready:
                data, (address, port) = self.ike.recvfrom(65535)
                self.engine.receive(data, NetworkPath(self.local, 500, address, port), now)
            for event in self.datapath.poll_events():
                self.engine.datapath_event(event, now)
            if at is not None and at <= now:
                self.engine.expire(now)

    def _carry_out(self) -> None:
        for action in self.engine.poll():
            match action:
                case SendDatagram(path=path, data=data):
                    if path.local_port != 500:
                        raise SystemExit("there is a NAT: native ESP is not possible")
                    self.ike.sendto(data, (path.remote, path.remote_port))
                case InstallSa(sa=sa):
                    self.datapath.install_sa(sa)
                case RemoveSa(sa_id=sa_id):
                    self.datapath.remove_sa(sa_id)
                case UpdateSaPath():
                    raise SystemExit("the path of an SA changed")
                case AddRoutes(remote_ts=selectors):
                    for selector in selectors:
                        net = selector.first_address + "/24"
                        subprocess.run(["ip", "route", "replace", net, "dev", "esp0"], check=True)  # noqa: S603, S607
                case Event(name=EventName.CHILD_SA_UP):
                    print("up", flush=True)
                case _:
                    print(action, flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name in ("local", "remote", "identity", "psk", "first", "last"):
        arguments.add_argument(f"--{name}", required=True)
    options = arguments.parse_args()
    Peer(options.local, options.identity, options.psk, options.first, options.last).run(options.remote)


if __name__ == "__main__":
    main()
