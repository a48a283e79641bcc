"""Beginning and ending IKE SAs: keys, timers, tables, events."""

from __future__ import annotations

from nf.crypto.keymat import derive_ike_keys
from nf.ike import children
from nf.ike.actions import EventName
from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.states import IkeInput, IkeState
from nf.ike.timers import TimerKind
from nf.policy.algorithms import ike_suite
from nf.policy.suites import IkeAlgorithms


def set_algorithms(sa: IkeSa, algorithms: IkeAlgorithms) -> None:
    """Take the negotiated algorithms and the lifetime that our transform set has for them."""
    template = sa.service.template
    sa.algorithms = algorithms
    sa.crypto = ike_suite(algorithms)
    try:
        sa.lifetime_s = template.ike_lifetimes_s[template.ike_suites.index(algorithms)]
    except ValueError:  # a rekey keeps algorithms that a newer policy no longer names
        sa.lifetime_s = template.ike_lifetimes_s[0]


def set_keys(sa: IkeSa, seed: bytes) -> None:
    """Derive the keys from SKEYSEED and make the ciphers of both directions (RFC 7296 section 2.14)."""
    crypto = sa.crypto
    if crypto is None:
        raise RuntimeError("no algorithms yet")
    sa.keys = derive_ike_keys(crypto, seed, sa.nonce_i, sa.nonce_r, sa.spi_i, sa.spi_r)
    of_initiator, of_responder = crypto.ciphers(sa.keys)
    if sa.original_initiator:
        sa.cipher_out, sa.cipher_in = of_initiator, of_responder
    else:
        sa.cipher_out, sa.cipher_in = of_responder, of_initiator


def authenticated(core: Core, sa: IkeSa, now: float) -> None:
    """Both ends have proved themselves."""
    if sa.state is IkeState.HALF_OPEN:
        core.half_open_changed(sa, -1)
    sa.advance(IkeInput.AUTHENTICATED)
    core.timers.cancel(sa, TimerKind.HALF_OPEN)
    core.timers.cancel(sa, TimerKind.SETUP)
    sa.init_request = sa.init_response = sa.peer_public = b""
    sa.ke_key = None
    core.count(f"setups-succeeded.{'initiator' if sa.original_initiator else 'responder'}")
    _begin(core, sa, now)
    sa.announced = True
    core.event(EventName.IKE_SA_UP, sa, local=sa.path.local, **{"local-id": sa.local_text})


def inherited(core: Core, sa: IkeSa, now: float) -> None:
    """A rekey made this IKE SA: it begins authenticated."""
    sa.advance(IkeInput.INHERIT)
    _begin(core, sa, now)


def _begin(core: Core, sa: IkeSa, now: float) -> None:
    sa.established_at = sa.last_heard = now
    core.established += 1
    core.by_identity.setdefault((sa.service.key, sa.remote_id), set()).add(sa)
    template = sa.service.template
    if template.keepalive is not None:
        core.set_timer(sa, TimerKind.LIVENESS, now + template.keepalive.interval_s)
    sa.hard_at = now + sa.lifetime_s
    core.set_timer(sa, TimerKind.HARD_LIFETIME, sa.hard_at)
    if template.ikesa.rekey:
        soft = sa.lifetime_s * children.SOFT_PART - core.jitter(sa.lifetime_s * children.JITTER_PART)
        sa.soft_at = now + soft
        core.set_timer(sa, TimerKind.SOFT_LIFETIME, sa.soft_at)


def hand_over(core: Core, old: IkeSa, new: IkeSa, now: float) -> None:
    """`new` takes the place of `old`, with all that `old` has; `old` waits for its Delete, but not for ever."""
    new.claims = None
    children.move_all(core, old, new)
    if old.announced:
        old.announced, new.announced = False, True
        core.event(EventName.IKE_SA_REKEYED, new)
    retire(core, old, now)


def retire(core: Core, sa: IkeSa, now: float) -> None:
    """Replaced or redundant: start nothing more on it, and wait for its Delete under the guard timer."""
    if sa.is_usable:
        sa.advance(IkeInput.REPLACED)
    for kind in (TimerKind.SOFT_LIFETIME, TimerKind.HARD_LIFETIME, TimerKind.LIVENESS):
        core.timers.cancel(sa, kind)
    core.set_timer(sa, TimerKind.GUARD, now + children.GUARD_S)


def close(core: Core, sa: IkeSa, cause: str) -> None:
    """End an IKE SA here and now, with its Child SAs; nothing is sent. Twice is once.

    cause: a label of `ike-sas-closed` for one that was authenticated, else of `setups-failed`.
    """
    if sa.state is IkeState.CLOSED:
        return
    was = sa.state
    was_authenticated = sa.is_authenticated
    sa.advance(IkeInput.CLOSE)
    if was is IkeState.HALF_OPEN:
        core.half_open_changed(sa, -1)
    for child in tuple(sa.children):
        children.remove(core, child)
    if sa.in_flight is not None:
        sa.in_flight.task.abandon(core, sa)
        sa.in_flight = None
    sa.queue.clear()
    sa.pieces.clear()
    core.timers.cancel_all(sa)
    core.release_leases(sa)
    core.ike_sas.pop(sa.spi_local, None)
    if was_authenticated:
        core.established -= 1
        key = (sa.service.key, sa.remote_id)
        same = core.by_identity.get(key)
        if same is not None:
            same.discard(sa)
            if not same:
                del core.by_identity[key]
        core.count(f"ike-sas-closed.{cause}")
        if sa.announced:
            core.event(EventName.IKE_SA_DOWN, sa, cause=cause)
    else:
        core.count(f"setups-failed.{cause}")
        if sa.original_initiator or sa.seen_exchange:  # not for what a flood of IKE_SA_INIT leaves behind
            core.event(EventName.SETUP_FAILED, sa, cause=cause)
    sa.announced = False
    sa.keys = sa.cipher_in = sa.cipher_out = sa.ke_key = None
