"""Key derivation of IKEv2 (RFC 7296 sections 2.13 to 2.18) and the AUTH value of a shared key (section 2.15)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nf.crypto.errors import AuthenticityError
from nf.crypto.prf import Prf
from nf.crypto.secret import Secret

if TYPE_CHECKING:
    from nf.crypto.suite import ChildSuite, IkeSuite

_KEY_PAD = b"Key Pad for IKEv2"


@dataclass(frozen=True, slots=True)
class IkeKeys:
    """The seven keys of an IKE SA; i and r are the original initiator and responder.

    sk_ai and sk_ar are empty with combined modes.
    """

    sk_d: bytes = field(repr=False)
    sk_ai: bytes = field(repr=False)
    sk_ar: bytes = field(repr=False)
    sk_ei: bytes = field(repr=False)
    sk_er: bytes = field(repr=False)
    sk_pi: bytes = field(repr=False)
    sk_pr: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChildKeys:
    """Keys of a Child SA pair: i protects what the initiator of the exchange that made it sends, r the other way."""

    encr_i: bytes = field(repr=False)
    integ_i: bytes = field(repr=False)
    encr_r: bytes = field(repr=False)
    integ_r: bytes = field(repr=False)


def skeyseed(prf: Prf, nonce_i: bytes, nonce_r: bytes, shared: bytes) -> bytes:
    """SKEYSEED = prf(Ni | Nr, g^ir) (RFC 7296 section 2.14); HMACs take the nonces whole."""
    return prf.prf(nonce_i + nonce_r, shared)


def rekey_skeyseed(old_prf: Prf, old_sk_d: bytes, nonce_i: bytes, nonce_r: bytes, shared: bytes) -> bytes:
    """SKEYSEED of a rekeyed IKE SA: prf(SK_d (old), g^ir (new) | Ni | Nr) (section 2.18).

    old_prf: of the old IKE SA, also when the new one negotiated another.
    """
    return old_prf.prf(old_sk_d, shared + nonce_i + nonce_r)


def derive_ike_keys(
    suite: IkeSuite, seed: bytes, nonce_i: bytes, nonce_r: bytes, spi_i: bytes, spi_r: bytes
) -> IkeKeys:
    """The keys of an IKE SA from SKEYSEED: prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) (section 2.14).

    suite: of the IKE SA the keys are for. spi_i, spi_r: its 8-octet SPIs. Keys of combined modes end with their salt.
    Raise KeymatError past 255 PRF blocks (section 2.13).
    """
    d = suite.prf.octets
    a = suite.integ.key_octets if suite.integ else 0
    e = suite.encr.key_octets
    keymat = suite.prf.plus(seed, nonce_i + nonce_r + spi_i + spi_r, 3 * d + 2 * a + 2 * e)
    return IkeKeys(*_split(keymat, d, a, a, e, e, d, d))


def derive_child_keymat(prf: Prf, suite: ChildSuite, sk_d: bytes, nonces: bytes, shared: bytes = b"") -> ChildKeys:
    """Keys for one Child SA pair (RFC 7296 section 2.17).

    prf: of the IKE SA. suite: negotiated ESP suite; fixes how many octets are drawn.
    nonces: Ni | Nr, from IKE_SA_INIT for the Child SA made by IKE_AUTH, else fresh from CREATE_CHILD_SA.
    shared: the new shared secret, in the octets its key exchange method defines; empty without one.
    Returns ChildKeys, initiator-to-responder first, encryption before integrity; GCM keys end with their 4-octet salt.
    Raises KeymatError past 255 PRF blocks (section 2.13).
    """
    e = suite.encr.key_octets
    a = suite.integ.key_octets if suite.integ else 0
    return ChildKeys(*_split(prf.plus(sk_d, shared + nonces, 2 * (e + a)), e, a, e, a))


def psk_key(prf: Prf, psk: Secret) -> Secret:
    """prf(Shared Secret, "Key Pad for IKEv2"): may be kept instead of the PSK itself (section 2.15)."""
    return Secret(prf.prf(psk.octets, _KEY_PAD))


def signed_octets(prf: Prf, first_message: bytes, peer_nonce: bytes, sk_p: bytes, id_body: bytes) -> bytes:
    """InitiatorSignedOctets or ResponderSignedOctets (section 2.15).

    first_message: the signer's IKE_SA_INIT datagram as it was sent, without non-ESP marker; the last one after
    COOKIE or INVALID_KE_PAYLOAD. peer_nonce: of the other end. sk_p and id_body (`IdPayload.body`): of the signer.
    """
    return first_message + peer_nonce + prf.prf(sk_p, id_body)


def psk_auth(prf: Prf, psk: Secret, signed: bytes) -> bytes:
    """AUTH data of method SHARED_KEY_MIC over `signed_octets`. Compare with `verify_psk_auth` only."""
    return prf.prf(psk_key(prf, psk).octets, signed)


def verify_psk_auth(prf: Prf, psk: Secret, signed: bytes, auth_data: bytes) -> None:
    """Raise AuthenticityError unless a peer's AUTH data is right; takes constant time."""
    if not hmac.compare_digest(psk_auth(prf, psk, signed), auth_data):
        raise AuthenticityError("AUTH")


def _split(octets: bytes, *sizes: int) -> list[bytes]:
    parts: list[bytes] = []
    at = 0
    for size in sizes:
        parts.append(octets[at : at + size])
        at += size
    return parts
