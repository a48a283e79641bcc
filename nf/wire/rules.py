"""Which payloads a message may and must have, by exchange and direction (RFC 7296 sections 1.2 to 1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from nf.wire.errors import InvalidSyntax
from nf.wire.iana import ExchangeType, NotifyType, PayloadType
from nf.wire.message import Message
from nf.wire.payloads import NotifyPayload, UnknownPayload

ANY: Final = 1 << 16
"""No maximum of its own: `Limits.payloads` is one."""


@dataclass(frozen=True, slots=True)
class Count:
    """How often a payload may come."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Rule:
    """payloads: type -> count; a known type that is not listed may not come. together: all of these or none.

    one_of: at least one of these. protected: must have been in an Encrypted payload, and otherwise must not.
    """

    payloads: Mapping[int, Count]
    protected: bool
    together: tuple[PayloadType, ...] = ()
    one_of: tuple[PayloadType, ...] = ()


_ONCE = Count(1, 1)
_MAYBE = Count(0, 1)
_MANY = Count(0, ANY)
_P = PayloadType


def _counts(counts: dict[PayloadType, Count]) -> Mapping[int, Count]:
    always = {_P.NOTIFY: _MANY, _P.VENDOR_ID: _MANY}
    return MappingProxyType({int(k): v for k, v in (always | counts).items()})


_SA_INIT_REQUEST = Rule(_counts({_P.SA: _ONCE, _P.KE: _ONCE, _P.NONCE: _ONCE}), protected=False)
_SA_INIT_RESPONSE = Rule(_counts({_P.SA: _ONCE, _P.KE: _ONCE, _P.NONCE: _ONCE, _P.CERTREQ: _MANY}), protected=False)
# One IKE_AUTH exchange has IDi, SA and TS; with EAP (section 2.16) they are spread over several, and without a Child SA
# (RFC 6023) SA and TS are not there at all. The table allows each, and the task knows which round it is in.
_AUTH_REQUEST = Rule(
    _counts(
        {
            _P.IDI: _MAYBE,
            _P.IDR: _MAYBE,
            _P.CERT: _MANY,
            _P.CERTREQ: _MANY,
            _P.AUTH: _MAYBE,
            _P.EAP: _MAYBE,
            _P.CP: _MAYBE,
            _P.SA: _MAYBE,
            _P.TSI: _MAYBE,
            _P.TSR: _MAYBE,
        }
    ),
    protected=True,
    together=(_P.SA, _P.TSI, _P.TSR),
    one_of=(_P.IDI, _P.AUTH, _P.EAP),
)
_AUTH_RESPONSE = Rule(
    _counts(
        {
            _P.IDR: _MAYBE,
            _P.CERT: _MANY,
            _P.AUTH: _MAYBE,
            _P.EAP: _MAYBE,
            _P.CP: _MAYBE,
            _P.SA: _MAYBE,
            _P.TSI: _MAYBE,
            _P.TSR: _MAYBE,
        }
    ),
    protected=True,
    together=(_P.SA, _P.TSI, _P.TSR),
    one_of=(_P.AUTH, _P.EAP),
)
_CREATE_CHILD = Rule(
    _counts({_P.SA: _ONCE, _P.NONCE: _ONCE, _P.KE: _MAYBE, _P.CP: _MAYBE, _P.TSI: _MAYBE, _P.TSR: _MAYBE}),
    protected=True,
    together=(_P.TSI, _P.TSR),
)
_INFORMATIONAL = Rule(_counts({_P.DELETE: _MANY, _P.CP: _MAYBE}), protected=True)

RULES: Mapping[tuple[int, bool], Rule] = MappingProxyType(
    {
        (int(ExchangeType.IKE_SA_INIT), False): _SA_INIT_REQUEST,
        (int(ExchangeType.IKE_SA_INIT), True): _SA_INIT_RESPONSE,
        (int(ExchangeType.IKE_AUTH), False): _AUTH_REQUEST,
        (int(ExchangeType.IKE_AUTH), True): _AUTH_RESPONSE,
        (int(ExchangeType.CREATE_CHILD_SA), False): _CREATE_CHILD,
        (int(ExchangeType.CREATE_CHILD_SA), True): _CREATE_CHILD,
        (int(ExchangeType.INFORMATIONAL), False): _INFORMATIONAL,
        (int(ExchangeType.INFORMATIONAL), True): _INFORMATIONAL,
    }
)
"""By (exchange type, whether it is a response)."""


def check(message: Message) -> None:
    """Raise InvalidSyntax when the payloads do not fit the exchange; unknown payloads are passed over (section 2.5).

    A response with an error Notify or a COOKIE may lack everything else; nothing may come twice or out of place in it.
    """
    header = message.header
    rule = RULES.get((header.exchange, header.response))
    if rule is None:
        raise InvalidSyntax("message", f"exchange type {header.exchange}")
    if message.protected != rule.protected:
        raise InvalidSyntax("message", "not protected" if rule.protected else "protected")
    counts: dict[int, int] = {}
    excused = False
    for payload in message.payloads:
        if isinstance(payload, UnknownPayload):
            continue
        kind: int = payload.payload_type
        counts[kind] = counts.get(kind, 0) + 1
        if header.response and isinstance(payload, NotifyPayload):
            excused = excused or payload.is_error or payload.notify_type == NotifyType.COOKIE
    for kind, count in counts.items():
        allowed = rule.payloads.get(kind)
        if allowed is None:
            raise InvalidSyntax("message", f"payload {kind} in exchange {header.exchange}")
        if count > allowed.most:
            raise InvalidSyntax("message", f"payload {kind} {count} times")
    if excused:
        return
    for kind, allowed in rule.payloads.items():
        if allowed.least and kind not in counts:
            raise InvalidSyntax("message", f"payload {kind} missing")
    if rule.together and 0 < sum(kind in counts for kind in rule.together) < len(rule.together):
        raise InvalidSyntax("message", "SA and traffic selectors not together")
    if rule.one_of and not any(kind in counts for kind in rule.one_of):
        raise InvalidSyntax("message", "neither identity nor authentication")
