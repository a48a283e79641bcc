"""Transition tables as data: (state, input) -> state.

Anything that is not in a table is an error, raised by `advance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class IkeState(Enum):
    """Life of one IKE SA."""

    CREATED = "created"
    INIT_SENT = "init-sent"
    """Initiator: waits for the IKE_SA_INIT response."""
    HALF_OPEN = "half-open"
    """Responder: has answered IKE_SA_INIT, waits for IKE_AUTH."""
    AUTH_SENT = "auth-sent"
    """Initiator: waits for the IKE_AUTH response."""
    ESTABLISHED = "established"
    REKEYING = "rekeying"
    """Our request to rekey it is queued or under way."""
    REKEYED = "rekeyed"
    """A successor exists; waits for the Delete."""
    DELETING = "deleting"
    """Our Delete is queued or under way."""
    CLOSED = "closed"


class IkeInput(Enum):
    """What moves an IKE SA."""

    SEND_INIT = "send-init"
    ANSWER_INIT = "answer-init"
    INIT_ANSWERED = "init-answered"
    AUTHENTICATED = "authenticated"
    INHERIT = "inherit"
    """Made by a rekey: it begins authenticated."""
    START_REKEY = "start-rekey"
    REKEY_FAILED = "rekey-failed"
    REPLACED = "replaced"
    START_DELETE = "start-delete"
    CLOSE = "close"


class ChildState(Enum):
    """Life of one Child SA."""

    CREATED = "created"
    INSTALLED = "installed"
    WAITING = "waiting"
    """Made by the peer's rekey: inbound is in place, outbound waits until the peer is seen to be ready (RKY-08)."""
    REKEYING = "rekeying"
    """Our request to rekey it is queued or under way."""
    REKEYED = "rekeyed"
    """A successor exists; waits for the Delete or the guard timer."""
    REDUNDANT = "redundant"
    """Lost a simultaneous rekey (RFC 7296 section 2.8.1); its creator deletes it."""
    DELETING = "deleting"
    """Our Delete is queued or under way."""
    CLOSED = "closed"


class ChildInput(Enum):
    """What moves a Child SA."""

    INSTALL = "install"
    INSTALL_INBOUND = "install-inbound"
    PEER_READY = "peer-ready"
    START_REKEY = "start-rekey"
    REKEY_FAILED = "rekey-failed"
    REPLACED = "replaced"
    LOST_COLLISION = "lost-collision"
    START_DELETE = "start-delete"
    CLOSE = "close"


_I, _N = IkeState, IkeInput
IKE_TRANSITIONS: Mapping[tuple[IkeState, IkeInput], IkeState] = MappingProxyType(
    {
        (_I.CREATED, _N.SEND_INIT): _I.INIT_SENT,
        (_I.INIT_SENT, _N.SEND_INIT): _I.INIT_SENT,  # again, with a cookie or another key exchange method
        (_I.CREATED, _N.ANSWER_INIT): _I.HALF_OPEN,
        (_I.INIT_SENT, _N.INIT_ANSWERED): _I.AUTH_SENT,
        (_I.HALF_OPEN, _N.AUTHENTICATED): _I.ESTABLISHED,
        (_I.AUTH_SENT, _N.AUTHENTICATED): _I.ESTABLISHED,
        (_I.CREATED, _N.INHERIT): _I.ESTABLISHED,
        (_I.ESTABLISHED, _N.START_REKEY): _I.REKEYING,
        (_I.REKEYING, _N.REKEY_FAILED): _I.ESTABLISHED,
        (_I.ESTABLISHED, _N.REPLACED): _I.REKEYED,
        (_I.REKEYING, _N.REPLACED): _I.REKEYED,
        (_I.ESTABLISHED, _N.START_DELETE): _I.DELETING,
        (_I.REKEYING, _N.START_DELETE): _I.DELETING,
        (_I.REKEYED, _N.START_DELETE): _I.DELETING,
        (_I.AUTH_SENT, _N.START_DELETE): _I.DELETING,
        **{(state, _N.CLOSE): _I.CLOSED for state in _I if state is not _I.CLOSED},
    }
)

_C, _D = ChildState, ChildInput
CHILD_TRANSITIONS: Mapping[tuple[ChildState, ChildInput], ChildState] = MappingProxyType(
    {
        (_C.CREATED, _D.INSTALL): _C.INSTALLED,
        (_C.CREATED, _D.INSTALL_INBOUND): _C.WAITING,
        (_C.CREATED, _D.LOST_COLLISION): _C.REDUNDANT,
        (_C.WAITING, _D.PEER_READY): _C.INSTALLED,
        (_C.WAITING, _D.LOST_COLLISION): _C.REDUNDANT,
        (_C.INSTALLED, _D.LOST_COLLISION): _C.REDUNDANT,
        (_C.INSTALLED, _D.START_REKEY): _C.REKEYING,
        (_C.REKEYING, _D.REKEY_FAILED): _C.INSTALLED,
        (_C.INSTALLED, _D.REPLACED): _C.REKEYED,
        (_C.WAITING, _D.REPLACED): _C.REKEYED,
        (_C.REKEYING, _D.REPLACED): _C.REKEYED,
        **{
            (state, _D.START_DELETE): _C.DELETING
            for state in (_C.INSTALLED, _C.WAITING, _C.REKEYING, _C.REKEYED, _C.REDUNDANT)
        },
        **{(state, _D.CLOSE): _C.CLOSED for state in _C if state is not _C.CLOSED},
    }
)


class TransitionError(Exception):
    """Our own mistake: an input that the state does not allow. Whoever lets a peer cause one has a bug."""


def next_ike_state(state: IkeState, signal: IkeInput) -> IkeState:
    """The state after `signal`; raises TransitionError."""
    try:
        return IKE_TRANSITIONS[state, signal]
    except KeyError:
        raise TransitionError(f"IKE SA: {signal.value} in state {state.value}") from None


def next_child_state(state: ChildState, signal: ChildInput) -> ChildState:
    """The state after `signal`; raises TransitionError."""
    try:
        return CHILD_TRANSITIONS[state, signal]
    except KeyError:
        raise TransitionError(f"Child SA: {signal.value} in state {state.value}") from None
