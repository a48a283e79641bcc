"""strongSwan's charon as a peer in a namespace, with the kernel-libipsec data path (no ESP in the kernel is needed)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .net import LabError, Namespace, Process, wait_for
from .vici import Value, Vici, ViciError

PLUGINS = (
    "random nonce openssl curve25519 chapoly aes sha1 sha2 gcm hmac kdf counters resolve updown "
    "socket-default kernel-libipsec kernel-netlink vici"
)
DAEMON = "/usr/sbin/charon-systemd"


class StrongSwan:
    """One charon with its own configuration, control socket and log, all in its directory.

    settings: further lines of the charon section of strongswan.conf, as text. log: levels by subsystem, see LOGGING.
    """

    def __init__(self, namespace: Namespace, name: str, settings: str = "", log_level: int = 1) -> None:
        self.namespace, self.name = namespace, name
        self.directory = namespace.lab.directory / name
        self.directory.mkdir(exist_ok=True)
        self.socket = self.directory / "vici.sock"
        self.log = self.directory / "charon.log"
        self.resolv_conf = self.directory / "resolv.conf"
        self._settings, self._log_level = settings, log_level
        self.process: Process | None = None
        self._vici: Vici | None = None

    def start(self) -> StrongSwan:
        """Start charon, and wait until it answers."""
        if not shutil.which(DAEMON):
            raise LabError(f"{DAEMON} is not there: install charon-systemd (make peers)")
        conf = self.directory / "strongswan.conf"
        conf.write_text(
            f"charon-systemd {{\n"
            f"  load = {PLUGINS}\n"
            f"  plugins {{\n"
            f"    vici {{\n      socket = unix://{self.socket}\n    }}\n"
            f"    resolve {{\n      file = {self.resolv_conf}\n    }}\n"
            f"  }}\n"
            f"  journal {{\n    default = -1\n  }}\n"
            f"  filelog {{\n    charon {{\n      path = {self.log}\n      flush_line = yes\n"
            f"      time_format = %H:%M:%S\n      default = {self._log_level}\n    }}\n  }}\n"
            f"{self._settings}\n"
            f"}}\n"
        )
        self.resolv_conf.touch()
        self.socket.unlink(missing_ok=True)
        out = self.directory / "charon.out"
        self.process = self.namespace.spawn(DAEMON, log=out, env={"STRONGSWAN_CONF": str(conf)})
        wait_for(f"charon of {self.name} to answer (log {self.log})", self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        if not self.process.running:
            raise LabError(f"charon of {self.name} ended at once:\n{self.process.tail()}{self.tail()}")
        try:
            self.vici.command("version")
        except (OSError, ViciError):
            self._vici = None
            return False
        return True

    def stop(self) -> None:
        """Stop charon; it deletes its SAs with its peers first."""
        if self._vici:
            self._vici.close()
            self._vici = None
        if self.process:
            self.process.stop()

    @property
    def vici(self) -> Vici:
        if self._vici is None:
            self._vici = Vici(self.socket)
        return self._vici

    def tail(self, lines: int = 15) -> str:
        """The last lines of charon's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def swanctl(self, *argv: str) -> str:
        """Run swanctl against this charon."""
        return self.namespace.run("swanctl", *argv, "--uri", f"unix://{self.socket}")

    def load_file(self, path: Path) -> None:
        """Load connections, secrets and pools of a swanctl.conf."""
        self.swanctl("--load-all", "--file", str(path))

    def load(
        self,
        connections: Mapping[str, Mapping[str, Value]],
        secrets: Mapping[str, str] | None = None,
        pools: Mapping[str, Mapping[str, Value]] | None = None,
    ) -> None:
        """Load connections (as swanctl.conf sections are), PSKs by identity (empty: anyone's), and address pools."""
        for owner, secret in (secrets or {}).items():
            self.vici.command(
                "load-shared", {"type": "IKE", "id": f"s-{owner}", "data": secret, "owners": [owner] if owner else []}
            )
        for name, pool in (pools or {}).items():
            self.vici.command("load-pool", {name: pool})
        for name, connection in connections.items():
            self.vici.command("load-conn", {name: connection})

    def initiate(self, child: str, timeout_s: float = 8.0) -> None:
        """Bring a Child SA up, and its IKE SA. Raises LabError with the end of charon's log."""
        try:
            self.vici.command("initiate", {"child": child, "timeout": str(int(timeout_s * 1000)), "loglevel": "-1"})
        except ViciError as error:
            raise LabError(f"{self.name} could not bring {child!r} up: {error}\n{self.tail()}") from error

    def start_initiating(self, child: str) -> None:
        """The same without waiting for the result."""
        self.vici.command("initiate", {"child": child, "timeout": "-1"})

    def terminate(self, **which: str) -> None:
        """Delete SAs: ike=NAME or child=NAME."""
        self.vici.command("terminate", {**which, "timeout": "5000"})

    def rekey(self, **which: str) -> None:
        """Rekey now: ike=NAME or child=NAME. Returns at once."""
        self.vici.command("rekey", which)

    def sas(self) -> list[dict[str, Any]]:
        """The IKE SAs as charon lists them, the connection's name as `name`, Child SAs under `child-sas`."""
        return [
            {"name": name, **ike_sa}
            for event in self.vici.stream("list-sas", "list-sa")
            for name, ike_sa in event.items()
        ]

    def established(self) -> list[dict[str, Any]]:
        """The IKE SAs that are established."""
        return [ike_sa for ike_sa in self.sas() if ike_sa.get("state") == "ESTABLISHED"]

    def children(self) -> list[dict[str, Any]]:
        """The installed Child SAs of all IKE SAs."""
        return [
            child
            for ike_sa in self.sas()
            for child in ike_sa.get("child-sas", {}).values()
            if child["state"] == "INSTALLED"
        ]

    def count(self) -> int:
        """The number of IKE SAs, cheaply."""
        return int(self.vici.command("stats")["ikesas"]["total"])
