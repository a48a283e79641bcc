"""Every primitive once, with itself: what a process does before it gives up its privileges.

Two reasons. A library that is broken or lacks an algorithm shows at the start, by name, and not in a peer's set-up.
And the library loads modules at their first use: a worker that has become nobody may no longer read the folder it was
installed in.
"""

from __future__ import annotations

from nf.crypto import registry
from nf.crypto.errors import CryptoError

_AAD = bytes(range(28))
_PLAINTEXT = bytes(range(48))


class SelfTestError(CryptoError):
    """A primitive does not do what it must; the message names it."""


def run() -> None:
    """Use every key exchange, PRF, integrity algorithm and IKE cipher of the registry. Raises SelfTestError.

    Some 20 ms, most of it the larger MODP groups.
    """
    for method, ke in registry.KES.items():
        ours, theirs = ke.generate(), ke.generate()
        if ours.exchange(theirs.public) != theirs.exchange(ours.public):
            raise SelfTestError(f"key exchange method {method}: the two ends disagree")
    for prf_id, prf in registry.PRFS.items():
        key = bytes(prf.octets)
        if prf.plus(key, _AAD, prf.octets) != prf.prf(key, _AAD + b"\x01"):
            raise SelfTestError(f"PRF {prf_id}: prf+ does not begin with prf (RFC 7296 section 2.13)")
    for (encr_id, key_bits), spec in registry.ENCRS.items():
        for integ in (None,) if spec.combined else registry.INTEGS.values():
            if not spec.ike:
                continue
            integ_key = b"" if integ is None else bytes(integ.key_octets)
            cipher = registry.sk_cipher(spec, bytes(spec.key_octets), integ, integ_key)
            sealed = cipher.seal(_AAD, bytes(cipher.iv_octets), _PLAINTEXT)
            if cipher.open(_AAD, sealed) != _PLAINTEXT:
                raise SelfTestError(f"ENCR {encr_id} with {key_bits} bits: what was sealed does not open")
