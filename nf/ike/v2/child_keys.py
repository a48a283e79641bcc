"""Nonces and key exchange of CREATE_CHILD_SA (RFC 7296 sections 1.3, 2.10, 2.17)."""

from __future__ import annotations

from nf.crypto.errors import KeError
from nf.crypto.ke import KeKey
from nf.crypto.registry import ke
from nf.ike.errors import InvalidKe, InvalidSyntaxError
from nf.ike.ike_sa import IkeSa
from nf.wire.payloads import KePayload

NONCE_OCTETS = 32


def generate(method: int) -> KeKey | None:
    """A private key for PFS; None without PFS."""
    return ke(method).generate() if method else None


def ke_payload(method: int, key: KeKey | None) -> tuple[KePayload, ...]:
    """The KE payload, or nothing."""
    return (KePayload(method, key.public),) if key is not None else ()


def answer(method: int, theirs: KePayload | None) -> tuple[tuple[KePayload, ...], bytes]:
    """As responder: (our KE payload or nothing, the shared secret).

    Raises InvalidKe when the peer's is of another method or missing, InvalidSyntaxError when its value is no good.
    """
    if not method:
        return (), b""
    if theirs is None or theirs.method != method:
        raise InvalidKe(method)
    key = ke(method).generate()
    try:
        shared = key.exchange(theirs.key_data)
    except KeError as error:
        raise InvalidSyntaxError(str(error)) from None
    return (KePayload(method, key.public),), shared


def shared_as_initiator(method: int, key: KeKey | None, theirs: KePayload | None) -> bytes:
    """As initiator: the shared secret; raises KeError or InvalidSyntaxError for an answer that does not fit."""
    if not method:
        return b""
    if key is None or theirs is None or theirs.method != method:
        raise InvalidSyntaxError("another key exchange method than agreed")
    return key.exchange(theirs.key_data)


def check_nonce(sa: IkeSa, nonce: bytes) -> None:
    """At least half the key size of the PRF (section 2.10); raises InvalidSyntaxError."""
    if sa.crypto is None or 2 * len(nonce) < sa.crypto.prf.octets:
        raise InvalidSyntaxError("the nonce is shorter than half the key of the PRF")
