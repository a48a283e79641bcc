"""The in-memory data path keeps the contract of the real one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ends import ANY4, GCM

from nf.datapath.fake import FakeDatapath
from nf.datapath.port import Datapath, DatapathError, DatapathEvent, Direction, EventKind, Sa, SaCounters

OUT = Sa(1, Direction.OUTBOUND, 1, 0x10, 1, 1, "192.0.2.1", "192.0.2.2", **GCM, local_ts=(ANY4,), remote_ts=(ANY4,))
IN = replace(OUT, sa_id=2, direction=Direction.INBOUND)


def test_it_keeps_what_was_asked() -> None:
    fake = FakeDatapath()
    _: Datapath = fake
    fake.install_sa(OUT)
    fake.install_sa(IN)
    fake.update_sa_path(1, "192.0.2.1", "192.0.2.9", 4500, 4501)
    assert (fake.sas[1].remote, fake.sas[1].encap_remote_port) == ("192.0.2.9", 4501)
    fake.install_sa(replace(OUT, sa_id=3))
    newest = fake.outbound(1)
    assert newest is not None
    assert newest.sa_id == 3
    assert fake.inbound(1, 0x10) == IN
    fake.remove_sa(2)
    fake.remove_sa(2)
    assert fake.inbound(1, 0x10) is None
    assert fake.history == [("install", 1), ("install", 2), ("update", 1), ("install", 3), ("remove", 2)]
    assert fake.counters().sas == 2


def test_it_refuses_as_the_real_one() -> None:
    fake = FakeDatapath()
    fake.install_sa(IN)
    for sa in (IN, replace(IN, sa_id=9)):
        with pytest.raises(DatapathError, match="taken"):
            fake.install_sa(sa)
    fake.refuse_next("no room")
    with pytest.raises(DatapathError, match="no room"):
        fake.install_sa(OUT)
    fake.install_sa(OUT)
    with pytest.raises(DatapathError, match="unknown"):
        fake.update_sa_path(77, "192.0.2.1", "192.0.2.2", 0, 0)


def test_it_says_what_it_is_told() -> None:
    fake = FakeDatapath()
    fake.install_sa(OUT)
    fake.inject(EventKind.PEER_MOVED, 1, "192.0.2.7", 4500)
    assert fake.poll_events() == [DatapathEvent(EventKind.PEER_MOVED, 1, "192.0.2.7", 4500)]
    assert fake.poll_events() == []
    fake.set_counters(SaCounters(1, 5, 500, 0, 0, 5, 1.0))
    assert fake.sa_counters() == (SaCounters(1, 5, 500, 0, 0, 5, 1.0),)
    assert fake.sa_counters((1, 99)) == fake.sa_counters()
