"""Which payloads may and must be in which message (RFC 7296 sections 1.2 to 1.5)."""

import dataclasses

import pytest

from nf.wire import rules
from nf.wire.errors import InvalidSyntax
from nf.wire.iana import NotifyType
from nf.wire.message import Header, Message
from nf.wire.payloads import (
    AuthPayload,
    CertPayload,
    CertReqPayload,
    CpPayload,
    DeletePayload,
    EapPayload,
    IdiPayload,
    IdrPayload,
    KePayload,
    NoncePayload,
    NotifyPayload,
    SaPayload,
    SkPayload,
    TsiPayload,
    TsrPayload,
    UnknownPayload,
    VendorIdPayload,
)

SA, KE, NI = SaPayload(()), KePayload(31, b""), NoncePayload(bytes(16))
IDI, IDR, AUTH, EAP = IdiPayload(2, b"i"), IdrPayload(2, b"r"), AuthPayload(2, b""), EapPayload(3, 1)
TSI, TSR, CP, D = TsiPayload(()), TsrPayload(()), CpPayload(1), DeletePayload(1)
CERT, CERTREQ, V = CertPayload(4, b""), CertReqPayload(4, b""), VendorIdPayload(b"")
N, ERROR, COOKIE = NotifyPayload(16384), NotifyPayload(14), NotifyPayload(NotifyType.COOKIE, b"c")
UNKNOWN = UnknownPayload(200, b"")
INIT, IKE_AUTH, CREATE, INFO = 34, 35, 36, 37
REQUEST, RESPONSE = False, True

GOOD = [
    (INIT, REQUEST, (SA, KE, NI)),
    (INIT, REQUEST, (COOKIE, SA, KE, NI, N, N, V, V, UNKNOWN)),
    (INIT, REQUEST, (NI, V, KE, N, SA)),
    (INIT, RESPONSE, (SA, KE, NI, CERTREQ)),
    (INIT, RESPONSE, (COOKIE,)),
    (INIT, RESPONSE, (ERROR,)),
    (INIT, RESPONSE, (NotifyPayload(8191),)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, SA, TSI, TSR)),
    (IKE_AUTH, REQUEST, (IDI, CERT, CERT, N, CERTREQ, IDR, AUTH, CP, SA, TSI, TSR, N, V)),
    (IKE_AUTH, REQUEST, (IDI, SA, TSI, TSR)),
    (IKE_AUTH, REQUEST, (EAP,)),
    (IKE_AUTH, REQUEST, (AUTH,)),
    (IKE_AUTH, REQUEST, (IDI, AUTH)),
    (IKE_AUTH, RESPONSE, (IDR, AUTH, SA, TSI, TSR)),
    (IKE_AUTH, RESPONSE, (IDR, CERT, AUTH, CP, SA, TSI, TSR, N)),
    (IKE_AUTH, RESPONSE, (IDR, AUTH, ERROR)),
    (IKE_AUTH, RESPONSE, (IDR, AUTH, EAP)),
    (IKE_AUTH, RESPONSE, (EAP,)),
    (IKE_AUTH, RESPONSE, (ERROR,)),
    (CREATE, REQUEST, (SA, NI, TSI, TSR)),
    (CREATE, REQUEST, (N, SA, NI, KE, TSI, TSR)),
    (CREATE, REQUEST, (SA, NI, KE)),
    (CREATE, RESPONSE, (SA, NI, KE, TSI, TSR)),
    (CREATE, RESPONSE, (ERROR,)),
    (INFO, REQUEST, ()),
    (INFO, RESPONSE, ()),
    (INFO, REQUEST, (D, D, N, N, CP, V)),
    (INFO, RESPONSE, (D, UNKNOWN)),
]

BAD = [
    (INIT, REQUEST, ()),
    (INIT, REQUEST, (SA, KE)),
    (INIT, REQUEST, (SA, NI)),
    (INIT, REQUEST, (KE, NI)),
    (INIT, REQUEST, (SA, SA, KE, NI)),
    (INIT, REQUEST, (SA, KE, KE, NI)),
    (INIT, REQUEST, (SA, KE, NI, NI)),
    (INIT, REQUEST, (SA, KE, NI, IDI)),
    (INIT, REQUEST, (SA, KE, NI, CERTREQ)),
    (INIT, REQUEST, (SA, KE, NI, D)),
    (INIT, REQUEST, (COOKIE,)),
    (INIT, REQUEST, (ERROR,)),
    (INIT, RESPONSE, (N,)),
    (INIT, RESPONSE, (SA, KE)),
    (INIT, RESPONSE, (ERROR, AUTH)),
    (INIT, RESPONSE, (SA, SA, ERROR)),
    (IKE_AUTH, REQUEST, ()),
    (IKE_AUTH, REQUEST, (SA, TSI, TSR)),
    (IKE_AUTH, REQUEST, (ERROR,)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, SA)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, SA, TSI)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, SA, TSR)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, TSI, TSR)),
    (IKE_AUTH, REQUEST, (IDI, IDI, AUTH)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, AUTH)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, CP, CP)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, KE)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, NI)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, D)),
    (IKE_AUTH, REQUEST, (IDI, AUTH, SkPayload(0, b""))),
    (IKE_AUTH, RESPONSE, (IDR,)),
    (IKE_AUTH, RESPONSE, (IDI, AUTH)),
    (IKE_AUTH, RESPONSE, (IDR, AUTH, SA)),
    (CREATE, REQUEST, (SA, TSI, TSR)),
    (CREATE, REQUEST, (NI, TSI, TSR)),
    (CREATE, REQUEST, (SA, NI, TSI)),
    (CREATE, REQUEST, (SA, NI, IDI)),
    (CREATE, REQUEST, (SA, NI, AUTH)),
    (CREATE, REQUEST, (ERROR,)),
    (CREATE, RESPONSE, (N,)),
    (INFO, REQUEST, (SA,)),
    (INFO, REQUEST, (CP, CP)),
    (INFO, RESPONSE, (AUTH,)),
    (INFO, RESPONSE, (EAP, ERROR)),
    (38, REQUEST, ()),
    (43, REQUEST, ()),
    (0, RESPONSE, ()),
    (255, REQUEST, (ERROR,)),
]


def message(exchange, response, payloads):
    header = Header(bytes(8), bytes(8), exchange, 1, True, response)
    return Message(header, payloads, protected=exchange != INIT)


@pytest.mark.parametrize(("exchange", "response", "payloads"), GOOD)
def test_good(exchange, response, payloads):
    """Passes as it is, and not when protection is the other way round."""
    good = message(exchange, response, payloads)
    rules.check(good)
    with pytest.raises(InvalidSyntax):
        rules.check(dataclasses.replace(good, protected=not good.protected))


@pytest.mark.parametrize(("exchange", "response", "payloads"), BAD)
def test_bad(exchange, response, payloads):
    """Refused, with the Notify that says so."""
    with pytest.raises(InvalidSyntax) as error:
        rules.check(message(exchange, response, payloads))
    assert error.value.notify is NotifyType.INVALID_SYNTAX


def test_every_rule_has_both_directions():
    """Four exchanges, two directions."""
    assert set(rules.RULES) == {(e, r) for e in (34, 35, 36, 37) for r in (False, True)}
