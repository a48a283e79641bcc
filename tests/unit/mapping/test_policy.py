"""The demo configuration reaches the engine: what the mapping makes of it is what the engine's prepare accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from netconf.mapping import algorithms
from netconf.mapping.snapshot import build_snapshot
from nf.policy.compile import compile_policy

Json = dict[str, Any]
Complete = Callable[[Json], Json]


def test_the_demo_compiles(demo: Json, complete: Complete) -> None:
    snapshot, secrets = build_snapshot(complete(demo), None, str.encode)
    policy = compile_policy(snapshot, secrets, 0, 1)
    sites = policy.services["192.0.2.1"]
    clients = policy.services["192.0.2.2"]
    assert (sites.remote_access, clients.remote_access) == (False, True)
    assert clients.pool4 is not None
    assert clients.pool4.size == 254
    assert clients.pool6 is not None
    assert clients.pool6.size == 2**16 - 1


@pytest.mark.parametrize("cipher", sorted(algorithms.ENCRYPTION))
@pytest.mark.parametrize("group", sorted(set(algorithms.GROUP) - {"none"}))
def test_every_algorithm_of_the_model_is_one_of_the_engine(
    demo: Json, ran: Json, complete: Complete, cipher: str, group: str
) -> None:
    """Nothing that the model offers is refused in prepare (ALG-03 to ALG-48)."""
    hmac = "none" if "gcm" in cipher or "poly" in cipher else "sha2-512-256"
    for kind in ("ikev2-ikesa", "ipsec"):
        chosen = ran[f"openwsg-transform-set:{kind}"]["transform-set"][0]
        chosen |= {"encryption": f"openwsg-types:{cipher}", "hmac": f"openwsg-types:{hmac}"}
        chosen["group"] = f"openwsg-types:{group}"
    snapshot, secrets = build_snapshot(complete(demo), None, str.encode)
    assert compile_policy(snapshot, secrets, 0, 1).services


@pytest.mark.parametrize("prf", sorted(algorithms.PRF))
@pytest.mark.parametrize("hmac", sorted(set(algorithms.HMAC) - {"none"}))
def test_every_prf_and_hmac_of_the_model_is_one_of_the_engine(
    demo: Json, ran: Json, complete: Complete, prf: str, hmac: str
) -> None:
    """ALG-10, ALG-13, ALG-15 to ALG-18, ALG-43 to ALG-48."""
    ran["openwsg-transform-set:ikev2-ikesa"]["transform-set"][1] |= {
        "prf": f"openwsg-types:{prf}",
        "hmac": f"openwsg-types:{hmac}",
    }
    ran["openwsg-transform-set:ipsec"]["transform-set"][1]["hmac"] = f"openwsg-types:{hmac}"
    snapshot, secrets = build_snapshot(complete(demo), None, str.encode)
    assert compile_policy(snapshot, secrets, 0, 1).services
