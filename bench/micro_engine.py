"""CPU of a responder per tunnel: two engines back to back, no sockets, no data path.

    python bench/micro_engine.py [tunnels]

Only the responder's calls are timed: IKE_SA_INIT and IKE_AUTH in, the responses and the SAs out (poll included). The
initiator runs in the same process, between the measured parts. Compare with the goals in the anchors; crypto alone is
about 0.14 ms for PSK with x25519.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from dataclasses import replace

from nf.config.snapshot import (
    AddressPool,
    AddressRange,
    Authentication,
    Context,
    CryptoTemplate,
    GatewaySnapshot,
    IkeSaParameters,
    IkeTransformSet,
    IpsecTransformSet,
    NatTraversal,
    Payload,
    WsgService,
)
from nf.ike.actions import SendDatagram
from nf.ike.engine import Engine
from nf.ike.inputs import Initiate, NetworkPath
from nf.io import garbage
from nf.policy.compile import compile_policy

RESPONDER = "198.51.100.1"
SUITES = {
    "PSK, x25519, AES-GCM": (
        IkeTransformSet("i", encr=20, key_bits=128, prf=5, integ=0, ke_method=31),
        IpsecTransformSet("e", encr=20, key_bits=128, integ=0),
    ),
    "PSK, MODP-2048, AES-CBC, SHA-256": (
        IkeTransformSet("i", encr=12, key_bits=256, prf=5, integ=12, ke_method=14),
        IpsecTransformSet("e", encr=12, key_bits=256, integ=12),
    ),
}


class SystemRandom:
    """The real thing: its cost counts."""

    def octets(self, n: int) -> bytes:
        return os.urandom(n)


def gateway(ike: IkeTransformSet, esp: IpsecTransformSet, address: str, mode: str) -> GatewaySnapshot:
    """A service for the responder (remote-access, with a pool) or the initiator."""
    template = CryptoTemplate(
        context="c",
        name="t",
        ikesa=IkeSaParameters(transform_sets=(ike,)),
        authentication=Authentication(local_psk="k", remote_psk="k"),
        payloads=(Payload("p", match="ipv4", transform_sets=(esp,)),),
        natt=NatTraversal(),
    )
    pool = AddressPool("c", "p4", 4, "10.0.0.0/8", (AddressRange("10.0.0.1", "10.255.255.254"),))
    service = WsgService("c", "s", "site-to-site", bind_address=address, template="t")
    if mode == "remote-access":
        service = replace(service, deployment_mode="remote-access", ipv4_pool="p4")
    return GatewaySnapshot(1, contexts=(Context("c", 1, pools=(pool,), templates=(template,), services=(service,)),))


def responses(engine: Engine) -> list[SendDatagram]:
    """What an engine wants sent."""
    return [action for action in engine.poll() if isinstance(action, SendDatagram)]


def measure(name: str, tunnels: int) -> None:
    """Print milliseconds of CPU and octets of memory a tunnel."""
    ike, esp = SUITES[name]
    secrets = {"k": b"a pre-shared key of some length"}
    responder = Engine(
        0, 1, SystemRandom(), compile_policy(gateway(ike, esp, RESPONDER, "remote-access"), secrets, 0, 1), 0.0
    )
    policy = compile_policy(gateway(ike, esp, "192.0.2.1", "site-to-site"), secrets, 0, 1)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = time.process_time
    spent = 0.0
    for number in range(tunnels):
        now = number * 0.001
        initiator = Engine(0, 1, SystemRandom(), policy, now)
        initiator.command(Initiate("c", "s", RESPONDER, request_addresses=(4,)), now)
        for _ in range(2):
            (request,) = responses(initiator)
            path = NetworkPath(
                request.path.remote, request.path.remote_port, request.path.local, request.path.local_port
            )
            start = clock()
            responder.receive(request.data, path, now)
            actions = responder.poll()
            spent += clock() - start
            (answer,) = [action for action in actions if isinstance(action, SendDatagram)]
            back = NetworkPath(answer.path.remote, answer.path.remote_port, answer.path.local, answer.path.local_port)
            initiator.receive(answer.data, back, now)
    if responder.summary()["child-sas"] != tunnels:
        raise SystemExit(f"{responder.summary()} after {tunnels} set-ups")
    gc.collect()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{name}: {spent / tunnels * 1000:.3f} ms CPU a tunnel, {grown * 1024 // tunnels} octets a tunnel")


def calibrate() -> None:
    """X25519 key and exchange alone, now: 0.091 ms on the quiet reference machine.

    Read the figures below against it.
    """
    from nf.crypto.registry import ke

    method = ke(31)
    peer = method.generate().public
    start = time.process_time()
    for _ in range(500):
        method.generate().exchange(peer)
    each = (time.process_time() - start) / 500 * 1000
    print(f"X25519 key and exchange: {each:.3f} ms, {each / 0.091:.2f} times the reference")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    garbage.tune()  # as a worker does
    for suite in SUITES:
        calibrate()
        measure(suite, count)
