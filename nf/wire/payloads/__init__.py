"""Payload codecs, one a file. `Payload` is the closed union; `DECODERS` is the table type -> decoder.

They are frozen msgspec Structs and not dataclasses: a frozen dataclass sets each field through object.__setattr__, at
0.2 us a field, which was half of what decoding a message cost (`bench/micro_wire.py`). They hold only numbers, octets
and tuples of such, so no cycle can come about, and the garbage collector need not know them (gc=False).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nf.wire.iana import PayloadType
from nf.wire.limits import Limits
from nf.wire.payloads.auth import AuthPayload
from nf.wire.payloads.cert import CertPayload
from nf.wire.payloads.certreq import CertReqPayload
from nf.wire.payloads.cp import CpAttribute, CpPayload
from nf.wire.payloads.delete import DeletePayload
from nf.wire.payloads.eap import EapPayload
from nf.wire.payloads.id import IdiPayload, IdPayload, IdrPayload
from nf.wire.payloads.ke import KePayload
from nf.wire.payloads.nonce import NoncePayload
from nf.wire.payloads.notify import NotifyPayload
from nf.wire.payloads.sa import Attribute, Proposal, SaPayload, Transform
from nf.wire.payloads.sk import SkPayload
from nf.wire.payloads.skf import SkfPayload
from nf.wire.payloads.ts import TrafficSelector, TsiPayload, TsPayload, TsrPayload, UnknownSelector
from nf.wire.payloads.unknown import UnknownPayload
from nf.wire.payloads.vendor import VendorIdPayload

Payload = (
    SaPayload
    | KePayload
    | IdiPayload
    | IdrPayload
    | CertPayload
    | CertReqPayload
    | AuthPayload
    | NoncePayload
    | NotifyPayload
    | DeletePayload
    | VendorIdPayload
    | TsiPayload
    | TsrPayload
    | SkPayload
    | CpPayload
    | EapPayload
    | UnknownPayload
)

DECODERS: Mapping[int, Callable[[bytes, Limits], Payload]] = MappingProxyType(
    {
        int(PayloadType.SA): SaPayload.decode,
        int(PayloadType.KE): KePayload.decode,
        int(PayloadType.IDI): IdiPayload.decode,
        int(PayloadType.IDR): IdrPayload.decode,
        int(PayloadType.CERT): CertPayload.decode,
        int(PayloadType.CERTREQ): CertReqPayload.decode,
        int(PayloadType.AUTH): AuthPayload.decode,
        int(PayloadType.NONCE): NoncePayload.decode,
        int(PayloadType.NOTIFY): NotifyPayload.decode,
        int(PayloadType.DELETE): DeletePayload.decode,
        int(PayloadType.VENDOR_ID): VendorIdPayload.decode,
        int(PayloadType.TSI): TsiPayload.decode,
        int(PayloadType.TSR): TsrPayload.decode,
        int(PayloadType.CP): CpPayload.decode,
        int(PayloadType.EAP): EapPayload.decode,
    }
)
"""Decoders by payload type. SK and SKF are not here: they depend on the message around them (`nf.wire.sk`,
`nf.wire.skf`).
"""

__all__ = [
    "DECODERS",
    "Attribute",
    "AuthPayload",
    "CertPayload",
    "CertReqPayload",
    "CpAttribute",
    "CpPayload",
    "DeletePayload",
    "EapPayload",
    "IdPayload",
    "IdiPayload",
    "IdrPayload",
    "KePayload",
    "NoncePayload",
    "NotifyPayload",
    "Payload",
    "Proposal",
    "SaPayload",
    "SkPayload",
    "SkfPayload",
    "TrafficSelector",
    "Transform",
    "TsPayload",
    "TsiPayload",
    "TsrPayload",
    "UnknownPayload",
    "UnknownSelector",
    "VendorIdPayload",
]
