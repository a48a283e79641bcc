"""The limits of `ddos` on what one peer may ask of its IKE SA (DOS-03 to DOS-08), and what went over them."""

from __future__ import annotations

from collections import deque
from typing import Literal

from nf.ike import lifecycle
from nf.ike.actions import EventName
from nf.ike.core import Core
from nf.ike.errors import RekeyRateExceeded
from nf.ike.ike_sa import IkeSa


class Misuse:
    """What is known of one IKE SA; there is one only once something happened.

    undecryptable: messages in a row that did not decrypt. rekeys: when the last rekey requests were let through.
    The others are STA-87 to STA-90, of this IKE SA.
    """

    __slots__ = (
        "child_rekeys_refused",
        "decrypt_drops",
        "ike_rekeys_refused",
        "queue_drops",
        "rekeys",
        "undecryptable",
    )

    def __init__(self) -> None:
        self.undecryptable = 0
        self.rekeys: deque[float] = deque()
        self.queue_drops = 0
        self.ike_rekeys_refused = 0
        self.child_rekeys_refused = 0
        self.decrypt_drops = 0


def of(sa: IkeSa) -> Misuse:
    """The record of an IKE SA, made when it is wanted first."""
    if sa.misuse is None:
        sa.misuse = Misuse()
    return sa.misuse


def inherit(old: IkeSa, new: IkeSa) -> None:
    """A rekey made `new` of `old`: it does not begin with a fresh rate, or rekeys of the IKE SA would evade it."""
    if old.misuse is not None:
        of(new).rekeys = old.misuse.rekeys


def fits_queue(core: Core, sa: IkeSa) -> bool:
    """Whether one more message may wait for this IKE SA (DOS-08); else it is counted.

    The engine answers each message at once, so those that wait are in the socket's queue: what comes between two
    calls of poll() has waited together.
    """
    most = sa.service.template.ikesa.message_queue_size
    waiting = core.taken.get(sa.spi_local, 0) + 1
    core.taken[sa.spi_local] = waiting
    if most is None or waiting <= most:
        return True
    of(sa).queue_drops += 1
    return False


def undecryptable(core: Core, sa: IkeSa) -> None:
    """A message of the peer that does not decrypt.

    Too many in a row clear an IKE SA that is being set up (DOS-03). Later that would let anybody end it who knows its
    SPIs: it stays, and each run that gets too long is told once (DOS-04, ALM-12).
    """
    record = of(sa)
    record.undecryptable += 1
    most = sa.service.template.ikesa.decrypt_fail_count
    if most is None or record.undecryptable < most:
        return
    record.decrypt_drops += 1
    if record.undecryptable > most:
        return
    if sa.is_authenticated:
        core.count("decrypt-failures-exceeded.established")
        core.event(EventName.DECRYPT_FAILURES, sa, count=most)
    else:
        core.count("decrypt-failures-exceeded.setup")
        lifecycle.close(core, sa, "decrypt-failures")


def decrypted(sa: IkeSa) -> None:
    """A good message ends the run (DOS-05)."""
    if sa.misuse is not None:
        sa.misuse.undecryptable = 0


def check_rekey(core: Core, sa: IkeSa, kind: Literal["ike", "child"], now: float) -> None:
    """A request to rekey the IKE SA or one of its Child SAs: raise RekeyRateExceeded above `rekey-rate` (DOS-07).

    The rate is of both kinds together, over any second.
    """
    rate = sa.service.template.ikesa.rekey_rate
    if rate is None:
        return
    record = of(sa)
    recent = record.rekeys
    while recent and recent[0] <= now - 1.0:
        recent.popleft()
    if len(recent) < rate:
        recent.append(now)
        return
    if kind == "ike":
        record.ike_rekeys_refused += 1
    else:
        record.child_rekeys_refused += 1
    core.count(f"rekeys.{kind}.refused")
    core.count(f"rekeys-limited.{kind}")
    raise RekeyRateExceeded(f"more than {rate} rekey requests a second")
