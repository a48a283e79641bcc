"""An in-memory data path for tests: keeps what was asked of it, and says what a test tells it to say."""

from __future__ import annotations

from dataclasses import replace

from nf.datapath.port import (
    DatapathCounters,
    DatapathError,
    DatapathEvent,
    Direction,
    EventKind,
    Sa,
    SaCounters,
)


class FakeDatapath:
    """Satisfies `port.Datapath` with its contract (duplicate ids and SPIs are refused), and carries no packet.

    sas: what is installed now, by sa_id. history: every call that changed something, oldest first, as (verb, sa_id).
    """

    def __init__(self) -> None:
        self.sas: dict[int, Sa] = {}
        self.history: list[tuple[str, int]] = []
        self.totals = DatapathCounters()
        self._counters: dict[int, SaCounters] = {}
        self._events: list[DatapathEvent] = []
        self._refusal: str | None = None

    def install_sa(self, sa: Sa) -> None:
        """Keep an SA; raise DatapathError when its id or inbound SPI is taken, or when a test asked for a refusal."""
        if self._refusal is not None:
            why, self._refusal = self._refusal, None
            raise DatapathError(f"SA {sa.sa_id}: {why}")
        if sa.sa_id in self.sas:
            raise DatapathError(f"SA {sa.sa_id}: id is taken")
        if sa.direction is Direction.INBOUND and self.inbound(sa.context_index, sa.spi) is not None:
            raise DatapathError(f"SA {sa.sa_id}: inbound SPI {sa.spi:08x} is taken")
        self.sas[sa.sa_id] = sa
        self.history.append(("install", sa.sa_id))

    def remove_sa(self, sa_id: int) -> None:
        """Forget an SA; an unknown id is not an error."""
        if self.sas.pop(sa_id, None) is not None:
            self._counters.pop(sa_id, None)
            self.history.append(("remove", sa_id))

    def update_sa_path(
        self, sa_id: int, local: str, remote: str, encap_local_port: int, encap_remote_port: int
    ) -> None:
        """Change the outer addresses of an SA; raise DatapathError when it is unknown."""
        if sa_id not in self.sas:
            raise DatapathError(f"SA {sa_id}: unknown")
        self.sas[sa_id] = replace(
            self.sas[sa_id],
            local=local,
            remote=remote,
            encap_local_port=encap_local_port,
            encap_remote_port=encap_remote_port,
        )
        self.history.append(("update", sa_id))

    def poll_events(self) -> list[DatapathEvent]:
        """What was injected since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    def sa_counters(self, sa_ids: tuple[int, ...] | None = None) -> tuple[SaCounters, ...]:
        """Counters of the named SAs, or of all: those that a test set, else zeros."""
        wanted = tuple(self.sas) if sa_ids is None else sa_ids
        zero = SaCounters(0, 0, 0, 0, 0, 0, None)
        return tuple(self._counters.get(i, replace(zero, sa_id=i)) for i in wanted if i in self.sas)

    def counters(self) -> DatapathCounters:
        """The totals that a test set, with the number of SAs."""
        return replace(self.totals, sas=len(self.sas))

    def inbound(self, context_index: int, spi: int) -> Sa | None:
        """The inbound SA with this SPI, or None."""
        for sa in self.sas.values():
            if sa.direction is Direction.INBOUND and (sa.context_index, sa.spi) == (context_index, spi):
                return sa
        return None

    def outbound(self, policy_id: int) -> Sa | None:
        """The outbound SA in force for a policy: the newest installed, or None."""
        newest = None
        for sa in self.sas.values():  # a dict keeps the order of installation
            if sa.direction is Direction.OUTBOUND and sa.policy_id == policy_id:
                newest = sa
        return newest

    def inject(self, kind: EventKind, sa_id: int, remote: str = "", remote_port: int = 0) -> None:
        """Queue an event for the next poll_events."""
        self._events.append(DatapathEvent(kind, sa_id, remote, remote_port))

    def set_counters(self, counters: SaCounters) -> None:
        """What sa_counters is to say of one SA."""
        self._counters[counters.sa_id] = counters

    def refuse_next(self, why: str) -> None:
        """Make the next install_sa raise DatapathError."""
        self._refusal = why
