"""A gateway of either kind in the network, seen from a test or a measurement, and the peers around it."""

from __future__ import annotations

import os
from typing import Any

from ncclient.xml_ import to_ele

from .net import Namespace, wait_for
from .scenario import Scenario
from .strongswan import StrongSwan
from .topology import Topology
from .wsgd import Wsgd

NS = "urn:openwsg:yang:openwsg-"
_LISTS = ("ike-sa", "child-sa", "local-selector", "remote-selector", "inner-address")


def _plain(element: Any) -> Any:
    """An lxml element as nested dictionaries; list entries (ike-sa, child-sa, ...) as lists."""
    if len(element) == 0:
        return element.text or ""
    found: dict[str, Any] = {}
    for child in element:
        name = child.tag.rpartition("}")[2]
        value = _plain(child)
        if name in _LISTS:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


class WsgdGateway:
    """wsgd, seen from a test."""

    kind = "wsgd"

    def __init__(self, place: Topology, workers: int = 0) -> None:
        self.wsgd = Wsgd(place.gw, workers=workers)
        self.wsgd.start()

    def apply(self, scenario: Scenario) -> None:
        """Make the scenario the whole configuration of the context, over NETCONF."""
        with self.wsgd.netconf() as client:
            client.push(scenario.xml())

    def sas(self) -> list[dict[str, Any]]:
        """IKE SAs as `get` shows them, nested dictionaries by YANG names."""
        with self.wsgd.netconf() as client:
            data = client.get(
                f'<gateway xmlns="{NS}gateway"><security-associations xmlns="{NS}security-association"/></gateway>'
            )
        found = data.find(f".//{{{NS}security-association}}security-associations")
        return list(_plain(found)["ike-sa"]) if found is not None and len(found) else []

    def clear(self, peer: str) -> None:
        """Delete the SAs of a peer, telling it."""
        with self.wsgd.netconf() as client:
            client.session.dispatch(
                to_ele(
                    f'<clear-security-association xmlns="{NS}security-association">'
                    f"<peer>{peer}</peer></clear-security-association>"
                )
            )

    def tail(self) -> str:
        return self.wsgd.tail(60)

    def stop(self) -> None:
        self.wsgd.stop()


class StrongSwanGateway:
    """strongSwan in the gateway's place, to prove the laboratory."""

    kind = "strongswan"

    def __init__(self, place: Topology, workers: int = 0) -> None:
        self.charon = StrongSwan(place.gw, "gateway").start()

    def apply(self, scenario: Scenario) -> None:
        self.charon.stop()
        self.charon.start()
        self.charon.load(*scenario.vici())

    def sas(self) -> list[dict[str, Any]]:
        return [
            {
                "remote": {"address": sa["remote-host"], "port": sa["remote-port"], "identity": sa["remote-id"]},
                "inner-address": sa.get("remote-vips", []),
                "child-sa": [
                    {"encapsulation": "udp" if child.get("encap") else "none", "spi-in": str(int(child["spi-in"], 16))}
                    for child in sa.get("child-sas", {}).values()
                    if child["state"] == "INSTALLED"
                ],
                "local-spi": sa["responder-spi"] if sa.get("initiator") != "yes" else sa["initiator-spi"],
            }
            for sa in self.charon.established()
        ]

    def clear(self, peer: str) -> None:
        for sa in self.charon.established():
            if sa["remote-host"] == peer:
                self.charon.vici.command("terminate", {"ike-id": sa["uniqueid"], "timeout": "5000"})

    def tail(self) -> str:
        return self.charon.tail(60)

    def stop(self) -> None:
        self.charon.stop()


Gateway = WsgdGateway | StrongSwanGateway


class Field:
    """A network with a gateway in it. Peers are made by name; each test gets fresh ones."""

    def __init__(self, place: Topology, gateway: Gateway) -> None:
        self.place, self.gateway = place, gateway
        self.peers: list[StrongSwan] = []

    def peer(self, where: Namespace, name: str | None = None, settings: str = "") -> StrongSwan:
        """A strongSwan in a namespace, started anew; one that was there ends."""
        for old in [peer for peer in self.peers if peer.namespace is where]:
            old.stop()
            self.peers.remove(old)
        found = StrongSwan(where, name or where.name, settings).start()
        self.peers.append(found)
        return found

    def gateway_sees(self, count: int, timeout_s: float = 8.0) -> list[dict[str, Any]]:
        """Wait until the gateway has `count` IKE SAs, and give them."""
        seen: list[list[dict[str, Any]]] = []

        def look() -> bool:
            seen[:] = [self.gateway.sas()]
            return len(seen[0]) == count

        wait_for(f"{count} IKE SAs at the gateway", look, timeout_s)
        return seen[0]

    def end_of_test(self) -> None:
        for peer in self.peers:
            peer.stop()
        self.peers.clear()


def make_gateway(place: Topology, kind: str | None = None, workers: int = 0) -> Gateway:
    """A gateway in the namespace `gw`: wsgd, or what OPENWSG_INTEROP_GATEWAY or `kind` says."""
    kind = kind or os.environ.get("OPENWSG_INTEROP_GATEWAY", "wsgd")
    return StrongSwanGateway(place) if kind == "strongswan" else WsgdGateway(place, workers)
