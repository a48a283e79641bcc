"""A worker loads everything before it gives up its privileges: its folder may be closed to it afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

SCRIPT = """
import sys
import nf.io.ipsecmgr
from nf.crypto import registry, selftest
from exchange_world import A, B, World, payload, snapshot, template
from nf.config.snapshot import IkeSaParameters, IkeTransformSet, IpsecTransformSet

if sys.argv[1] == "prepared":
    selftest.run()


class Closed:
    def find_spec(self, name, path=None, target=None):
        raise PermissionError(f"{name} is loaded too late")


sys.meta_path[:] = [Closed()]
suites = [(20, 128, 5, 0, method) for method in registry.KES]
suites += [(12, 256, prf, integ, 31) for prf in registry.PRFS for integ in registry.INTEGS]
suites += [(encr, bits, 5, 12 if encr == 12 else 0, 31) for (encr, bits), spec in registry.ENCRS.items() if spec.ike]
for encr, bits, prf, integ, method in suites:
    ike = IkeSaParameters(transform_sets=(IkeTransformSet("set", encr, bits, prf, integ, method),))
    esp = IpsecTransformSet("esp", 20, 128, 0, method)
    def side(address):
        return snapshot(address, template(ikesa=ike, payloads=(payload(transform_sets=(esp,)),)))
    world = World(side(A), side(B))
    world.establish()
    world.agree()
    assert len(world.a.children) == len(world.b.children) == 1, (encr, bits, prf, integ, method)
print("established", len(suites))
"""


def established(how: str) -> str:
    """What the script prints, or the end of its error."""
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, how],
        env={"PYTHONPATH": f"{HERE.parents[1]}:{HERE}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return result.stdout + result.stderr


def test_nothing_is_loaded_after_the_self_test() -> None:
    """Every key exchange, PRF, integrity algorithm and cipher sets up a tunnel with importing forbidden."""
    assert established("prepared").startswith("established ")


def test_without_the_self_test_something_would_be() -> None:
    """Else the test above proves nothing."""
    assert "is loaded too late" in established("unprepared")
