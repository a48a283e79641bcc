"""Negotiated suites: the implementations behind the transforms of a chosen proposal."""

from __future__ import annotations

from dataclasses import dataclass

from nf.crypto import registry
from nf.crypto.encr import EncrSpec
from nf.crypto.errors import UnsupportedTransform
from nf.crypto.integ import Integ
from nf.crypto.ke import Ke
from nf.crypto.keymat import IkeKeys
from nf.crypto.prf import Prf
from nf.crypto.sk_cipher import SkCipher


@dataclass(frozen=True, slots=True)
class IkeSuite:
    """What protects an IKE SA. integ is None with a combined-mode cipher."""

    encr: EncrSpec
    prf: Prf
    integ: Integ | None
    ke: Ke

    @classmethod
    def of(cls, encr: int, key_bits: int, prf: int, integ: int, ke_method: int) -> IkeSuite:
        """From IANA numbers, 0 for no integ. Raise UnsupportedTransform, also for an integ missing or too much."""
        spec = registry.encr(encr, key_bits)
        if not spec.ike:
            raise UnsupportedTransform(f"ENCR {encr} for IKE")
        return cls(spec, registry.prf(prf), _integ(spec, integ), registry.ke(ke_method))

    def ciphers(self, keys: IkeKeys) -> tuple[SkCipher, SkCipher]:
        """Ciphers for what the original initiator sends, and for what the original responder sends."""
        return (
            registry.sk_cipher(self.encr, keys.sk_ei, self.integ, keys.sk_ai),
            registry.sk_cipher(self.encr, keys.sk_er, self.integ, keys.sk_ar),
        )


@dataclass(frozen=True, slots=True)
class ChildSuite:
    """What protects a Child SA (ESP). integ is None with a combined-mode cipher. ke is None without PFS."""

    encr: EncrSpec
    integ: Integ | None
    ke: Ke | None = None
    esn: bool = False

    @classmethod
    def of(cls, encr: int, key_bits: int, integ: int, ke_method: int = 0, esn: bool = False) -> ChildSuite:
        """From IANA numbers, 0 for none. Raise UnsupportedTransform.

        A suite without any integrity is refused: RFC 7321 and RFC 8221 section 5 leave it no use.
        """
        spec = registry.encr(encr, key_bits)
        ke = registry.ke(ke_method) if ke_method else None
        return cls(spec, _integ(spec, integ), ke, esn)


def _integ(spec: EncrSpec, integ: int) -> Integ | None:
    if spec.combined:
        if integ:
            raise UnsupportedTransform(f"INTEG {integ} beside combined-mode ENCR {spec.encr_id}")
        return None
    if not integ:
        raise UnsupportedTransform(f"ENCR {spec.encr_id} without INTEG")
    return registry.integ(integ)
