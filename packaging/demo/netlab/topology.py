"""The network of the demonstration: a gateway between an outer link with two peers and the core network.

      eNodeB gateway                  security gateway                     core
      enb  192.0.2.11 ----+
        \\ 10.1.0.1        +---- 192.0.2.1, .2  gw  10.0.0.1 ---- 10.0.0.10 (iperf3)
      ue   192.0.2.21 ----+

IPv6 beside it: outer 2001:db8:2::/64 with the same last number, core 2001:db8:c::/64, eNodeB 2001:db8:1::/64.
"""

from __future__ import annotations

from pathlib import Path

from .net import Lab, Namespace

GATEWAY, GATEWAY_RA, ENB, UE = "192.0.2.1", "192.0.2.2", "192.0.2.11", "192.0.2.21"
GATEWAY6, ENB6, UE6 = "2001:db8:2::1", "2001:db8:2::11", "2001:db8:2::21"
CORE_GATEWAY, CORE, CORE_NET = "10.0.0.1", "10.0.0.10", "10.0.0.0/24"
CORE6, CORE_NET6 = "2001:db8:c::10", "2001:db8:c::/64"
ENB_INNER, ENB_NET = "10.1.0.1", "10.1.0.0/24"
ENB_INNER6, ENB_NET6 = "2001:db8:1::1", "2001:db8:1::/64"


class Topology:
    """The namespaces `gw`, `core`, `enb` and `ue` of a new Lab, joined as the module says."""

    def __init__(self, prefix: str, directory: Path, keep: bool = False) -> None:
        self.lab = Lab(prefix, directory, keep)
        try:
            self._build()
        except BaseException:
            self.lab.keep = False
            self.lab.close()
            raise

    def _build(self) -> None:
        lab = self.lab
        self.outer = lab.bridge("outer")
        self.gw = lab.namespace("gw", forward=True)
        self.core = lab.namespace("core")
        self.enb = lab.namespace("enb", forward=True)
        self.ue = lab.namespace("ue")
        lab.attach(
            self.gw, self.outer, "outer0", f"{GATEWAY}/24", f"{GATEWAY_RA}/24", f"{GATEWAY6}/64", "2001:db8:2::2/64"
        )
        lab.attach(self.enb, self.outer, "outer0", f"{ENB}/24", f"{ENB6}/64")
        lab.attach(self.ue, self.outer, "outer0", f"{UE}/24", f"{UE6}/64")
        lab.link(
            self.gw,
            "core0",
            [f"{CORE_GATEWAY}/24", "2001:db8:c::1/64"],
            self.core,
            "core0",
            [f"{CORE}/24", f"{CORE6}/64"],
        )
        self.core.route("default", CORE_GATEWAY)
        self.core.route("default", "2001:db8:c::1")
        self.protect(self.enb)

    def protect(self, namespace: Namespace) -> None:
        """Give an eNodeB gateway its protected network, on an interface of its own."""
        namespace.run("ip", "link", "add", "cell0", "type", "bridge")
        namespace.address("cell0", f"{ENB_INNER}/24", f"{ENB_INNER6}/64")

    def __enter__(self) -> Topology:
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.__exit__()

    def close(self) -> None:
        self.lab.close()


__all__ = ["Lab", "Namespace", "Topology"]
