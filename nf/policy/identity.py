"""IKE identities.

Own ones from configuration to the wire, any received one to text (RFC 7296 section 3.5, TPL-17, TPL-27).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address

from cryptography import x509

from nf.wire.cursor import Reader
from nf.wire.errors import WireError
from nf.wire.iana import IdType

_MAX_TEXT = 256
_NAMES = {
    IdType.IPV4_ADDR: "ip-addr",
    IdType.IPV6_ADDR: "ip-addr",
    IdType.FQDN: "fqdn",
    IdType.RFC822_ADDR: "rfc822-addr",
    IdType.DER_ASN1_DN: "der-asn1-dn",
    IdType.DER_ASN1_GN: "der-asn1-gn",
    IdType.KEY_ID: "key-id",
}
_DN_ATTRIBUTES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "T",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
    "1.2.840.113549.1.9.1": "E",
}
_STRING_TAGS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x14: "latin-1", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}
_SEQUENCE, _SET, _OID = 0x30, 0x31, 0x06


class IdentityError(ValueError):
    """A configured identity that its type does not allow."""


def encode_identity(id_type: str, value: str) -> tuple[int, bytes]:
    """(ID type, octets) of a configured identity; id_type is a keyword of TPL-27. Raises IdentityError.

    key-id takes text, or octets as 0x and hexadecimal digits; der-asn1-dn takes RFC 4514 text or 0x and the DER;
    der-asn1-gn only the latter.
    """
    try:
        if id_type == "ip-addr":
            address = ip_address(value)
            return (IdType.IPV4_ADDR if address.version == 4 else IdType.IPV6_ADDR), address.packed
        if id_type in ("key-id", "der-asn1-dn", "der-asn1-gn") and value[:2].lower() == "0x":
            octets = bytes.fromhex(value[2:])
        elif id_type == "der-asn1-dn":
            octets = x509.Name.from_rfc4514_string(value).public_bytes()
        elif id_type == "der-asn1-gn":
            raise IdentityError("der-asn1-gn is given as 0x and the DER in hexadecimal digits")
        elif id_type == "fqdn":
            octets = value.encode("idna" if not value.isascii() else "ascii")
        else:
            octets = value.encode()
    except IdentityError:
        raise
    except ValueError as error:
        raise IdentityError(f"{value!r} is no {id_type}: {error}") from None
    kinds = {"fqdn": IdType.FQDN, "rfc822-addr": IdType.RFC822_ADDR, "key-id": IdType.KEY_ID}
    kinds |= {"der-asn1-dn": IdType.DER_ASN1_DN, "der-asn1-gn": IdType.DER_ASN1_GN}
    kind = kinds.get(id_type)
    if kind is None:
        raise IdentityError(f"unknown identity type {id_type!r}")
    if not octets:
        raise IdentityError("an identity must not be empty")
    return kind, octets


def address_identity(address: str) -> tuple[int, bytes]:
    """The identity that is an address: what we use when none is configured."""
    return encode_identity("ip-addr", address)


def type_name(id_type: int) -> str:
    """The keyword of TPL-27, or the number of an ID type that has none."""
    return _NAMES.get(id_type, str(id_type))  # type: ignore[call-overload, no-any-return]


def identity_text(id_type: int, octets: bytes) -> str:
    """A received identity for people: never raises, never longer than 256 characters, printable characters only.

    Octets that do not fit the type come as 0x and hexadecimal digits. A longer text ends with a digest, so that two
    long identities do not look the same.
    """
    if len(octets) > _MAX_TEXT:  # keeps what the cache holds small, too
        return identity_text(id_type, octets[:64])[:200] + "~" + sha256(octets).hexdigest()[:32]
    return _short_text(id_type, octets)


@lru_cache(maxsize=4096)
def _short_text(id_type: int, octets: bytes) -> str:
    text = None
    try:
        if id_type in (IdType.IPV4_ADDR, IdType.IPV6_ADDR):
            if len(octets) == (4 if id_type == IdType.IPV4_ADDR else 16):
                text = str(ip_address(octets))
        elif id_type in (IdType.FQDN, IdType.RFC822_ADDR, IdType.KEY_ID):
            text = octets.decode()
        elif id_type == IdType.DER_ASN1_DN:
            text = _dn_text(octets)
    except (ValueError, WireError):
        text = None
    if not text or not text.isprintable():
        text = "0x" + octets[:120].hex()
    if len(text) > _MAX_TEXT or len(octets) > 120:
        text = text[:200] + "~" + sha256(octets).hexdigest()[:32]
    return text


def _dn_text(octets: bytes) -> str:
    """RFC 4514 order is last to first; operators know the order of the certificate, as other gateways print it."""
    outer = _tlv(Reader(octets, "DN"), _SEQUENCE)
    parts: list[str] = []
    while outer.remaining:
        group = _tlv(outer, _SET)
        while group.remaining:
            pair = _tlv(group, _SEQUENCE)
            oid = _oid_text(_tlv(pair, _OID).rest())
            tag = pair.u8()
            value = pair.take(_length(pair))
            encoding = _STRING_TAGS.get(tag)
            text = "#" + value.hex() if encoding is None else value.decode(encoding)
            escaped = text.replace(",", "\\,")
            parts.append(f"{_DN_ATTRIBUTES.get(oid, oid)}={escaped}")
    return ", ".join(parts)


def _tlv(r: Reader, tag: int) -> Reader:
    if r.u8() != tag:
        raise WireError("DN", f"tag {tag:#x} expected")
    return r.sub(_length(r), "DN")


def _length(r: Reader) -> int:
    first = r.u8()
    return first if first < 0x80 else r.number(min(first & 0x7F, 4))


def _oid_text(octets: bytes) -> str:
    numbers: list[int] = []
    value = 0
    for octet in octets:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return "?"
    top = min(numbers[0] // 40, 2)
    return ".".join(str(n) for n in (top, numbers[0] - 40 * top, *numbers[1:]))
