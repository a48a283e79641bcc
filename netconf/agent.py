"""The NETCONF agent as the composition root sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from netconf.stats import NetconfStats
from nf.config.snapshot import Endpoint, GatewaySnapshot
from nf.config.transaction import Participant
from nf.gateway import GatewayPort


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what clients may ask for."""

    message_octets: int = 16 * 1024 * 1024
    depth: int = 64
    sessions: int = 64
    login_s: float = 30.0
    hello_s: float = 30.0


class LoadError(Exception):
    """The agent cannot start with what it found: a damaged store, or a factory default that is refused. Says why."""


class Agent:
    """Datastores, sessions and listeners.

    state_dir: where everything durable is kept (created when missing). yang_dir: our modules (openwsg-*.yang).
    gateway: what a commit is applied to and where views come from; it must run `listeners` among its participants.
    master_key_file: of the SecretBox, by default `master.key` in state_dir.
    listen_override: endpoints to listen on in place of snapshot.system.netconf_ssh, as long as the configuration leaves listeners
    at the model's default, or at what the factory default (loaded by this process) says.
    """

    def __init__(
        self,
        state_dir: Path,
        yang_dir: Path,
        gateway: GatewayPort,
        *,
        master_key_file: Path | None = None,
        listen_override: Sequence[Endpoint] = (),
        limits: Limits | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def listeners(self) -> Participant:
        """The participant that binds listeners in prepare; for the gateway's list."""
        raise NotImplementedError

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it listens now, with the ports the system chose for port 0."""
        raise NotImplementedError

    @property
    def snapshot(self) -> GatewaySnapshot:
        """The configuration in force."""
        raise NotImplementedError

    async def load(self, factory_default: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
        """Put the last committed configuration in force through the gateway, or without one the factory default.

        factory_default: JSON (.json) or XML instance data; each @NAME@ in it is replaced from `variables`. None is an empty
        configuration. Raises LoadError.
        """
        raise NotImplementedError

    def stats(self) -> NetconfStats:
        """Counters now."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop listening and end every session; the durable configuration stays."""
        raise NotImplementedError
