"""CPU of `nf.wire` and `nf.crypto` for one responder set-up: two messages in, two out. `python bench/micro_wire.py`.

For each suite: the whole, the raw primitives alone (key exchange, HMAC, cipher, called as the code calls them but with
nothing around), and the difference, which is what our own Python costs. Goal: under 0.2 ms for PSK, x25519, AES-GCM.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from nf.crypto.keymat import (
    derive_child_keymat,
    derive_ike_keys,
    psk_auth,
    signed_octets,
    skeyseed,
    verify_psk_auth,
)
from nf.crypto.secret import Secret
from nf.crypto.sk_cipher import AeadCipher
from nf.crypto.suite import ChildSuite, IkeSuite
from nf.wire import rules, sk
from nf.wire.iana import (
    AttributeType,
    AuthMethod,
    CfgType,
    CpAttributeType,
    Encr,
    ExchangeType,
    IdType,
    IntegId,
    KeMethod,
    NotifyType,
    PrfId,
    ProtocolId,
    Sn,
    TransformType,
    TsType,
)
from nf.wire.message import ZERO_SPI, Header, Message
from nf.wire.payloads import (
    AuthPayload,
    CpAttribute,
    CpPayload,
    IdiPayload,
    IdrPayload,
    KePayload,
    NoncePayload,
    NotifyPayload,
    Proposal,
    SaPayload,
    TrafficSelector,
    Transform,
    TsiPayload,
    TsrPayload,
)

PSK = Secret(b"a shared secret of some octets")
SPI_I, SPI_R = bytes(range(1, 9)), bytes(range(9, 17))
ANY_V4 = TrafficSelector(TsType.IPV4_ADDR_RANGE, 0, 0, 65535, 0, 0xFFFFFFFF)
N = NotifyType
SUITES = {
    "x25519, AES-GCM-16-256, SHA2-256": (
        (Encr.AES_GCM_16, 256, PrfId.HMAC_SHA2_256, 0, KeMethod.CURVE25519),
        (Encr.AES_GCM_16, 256, 0),
    ),
    "MODP-2048, AES-CBC-256, SHA2-256": (
        (Encr.AES_CBC, 256, PrfId.HMAC_SHA2_256, IntegId.HMAC_SHA2_256_128, KeMethod.MODP_2048),
        (Encr.AES_CBC, 256, IntegId.HMAC_SHA2_256_128),
    ),
}
assert AttributeType.KEY_LENGTH == 14


def best(action: Callable[[], object], rounds: int = 7, count: int = 200) -> float:
    """Microseconds of one call: the best of some rounds, as neighbours only add."""
    result = float("inf")
    for _ in range(rounds):
        gc.collect()
        start = time.perf_counter()
        for _ in range(count):
            action()
        result = min(result, (time.perf_counter() - start) / count)
    return result * 1e6


class Setup:
    """One peer's messages, made once, and our answers to them, made again and again."""

    def __init__(self, ike: tuple[int, int, int, int, int], esp: tuple[int, int, int]) -> None:
        self.suite = IkeSuite.of(*ike)
        self.child = ChildSuite.of(*esp)
        encr, key_bits, prf, integ, ke_method = ike
        transforms = [Transform(TransformType.ENCR, encr, key_bits), Transform(TransformType.PRF, prf)]
        if integ:
            transforms.append(Transform(TransformType.INTEG, integ))
        transforms.append(Transform(TransformType.KE, ke_method))
        self.ike_sa = SaPayload((Proposal(1, ProtocolId.IKE, b"", tuple(transforms)),))
        esp_transforms = [Transform(TransformType.ENCR, esp[0], esp[1]), Transform(TransformType.SN, Sn.NO_ESN)]
        if esp[2]:
            esp_transforms.insert(1, Transform(TransformType.INTEG, esp[2]))
        self.esp_sa = SaPayload((Proposal(1, ProtocolId.ESP, b"\1\2\3\4", tuple(esp_transforms)),))
        self.peer_key = self.suite.ke.generate()
        self.nonce_i, self.nonce_r = os.urandom(32), os.urandom(32)
        self.init_request = Message(
            Header(SPI_I, ZERO_SPI, ExchangeType.IKE_SA_INIT, 0, True, False),
            (
                self.ike_sa,
                KePayload(ke_method, self.peer_key.public),
                NoncePayload(self.nonce_i),
                NotifyPayload(N.NAT_DETECTION_SOURCE_IP, os.urandom(20)),
                NotifyPayload(N.NAT_DETECTION_DESTINATION_IP, os.urandom(20)),
                NotifyPayload(N.IKEV2_FRAGMENTATION_SUPPORTED),
                NotifyPayload(N.SIGNATURE_HASH_ALGORITHMS, bytes(8)),
                NotifyPayload(N.REDIRECT_SUPPORTED),
            ),
        ).encode()
        key_r = self.suite.ke.generate()
        response, keys = self.answer_init(key_r)
        shared = self.peer_key.exchange(key_r.public)
        assert skeyseed(self.suite.prf, self.nonce_i, self.nonce_r, shared) == self.seed
        cipher_i, _ = self.suite.ciphers(keys)
        idi = IdiPayload(IdType.FQDN, b"peer-0001.example.net")
        signed = signed_octets(self.suite.prf, self.init_request, self.nonce_r, keys.sk_pi, idi.body)
        auth_payloads = (
            idi,
            NotifyPayload(N.INITIAL_CONTACT),
            IdrPayload(IdType.FQDN, b"gateway.example.net"),
            AuthPayload(AuthMethod.SHARED_KEY_MIC, psk_auth(self.suite.prf, PSK, signed)),
            CpPayload(
                CfgType.REQUEST,
                (CpAttribute(CpAttributeType.INTERNAL_IP4_ADDRESS), CpAttribute(CpAttributeType.INTERNAL_IP4_DNS)),
            ),
            self.esp_sa,
            TsiPayload((ANY_V4,)),
            TsrPayload((ANY_V4,)),
            NotifyPayload(N.MOBIKE_SUPPORTED),
            NotifyPayload(N.EAP_ONLY_AUTHENTICATION),
            NotifyPayload(N.IKEV2_MESSAGE_ID_SYNC_SUPPORTED),
        )
        header = Header(SPI_I, SPI_R, ExchangeType.IKE_AUTH, 1, True, False)
        self.auth_request = sk.seal(header, auth_payloads, cipher_i, os.urandom(cipher_i.iv_octets))
        self.keys = keys
        self.init_response = response

    def answer_init(self, key):  # type: ignore[no-untyped-def]
        """IKE_SA_INIT: everything but making the key and the exchange is ours."""
        request = Message.decode(self.init_request, Header.decode(self.init_request))
        rules.check(request)
        peer_ke = request.first(KePayload)
        nonce = request.first(NoncePayload)
        assert peer_ke is not None
        assert nonce is not None
        request.notify(N.NAT_DETECTION_SOURCE_IP), request.notify(N.NAT_DETECTION_DESTINATION_IP)
        response = Message(
            Header(SPI_I, SPI_R, ExchangeType.IKE_SA_INIT, 0, False, True),
            (
                self.ike_sa,
                KePayload(peer_ke.method, key.public),
                NoncePayload(self.nonce_r),
                NotifyPayload(N.NAT_DETECTION_SOURCE_IP, bytes(20)),
                NotifyPayload(N.NAT_DETECTION_DESTINATION_IP, bytes(20)),
            ),
        ).encode()
        shared = key.exchange(peer_ke.key_data)
        self.seed = skeyseed(self.suite.prf, nonce.nonce, self.nonce_r, shared)
        return response, derive_ike_keys(self.suite, self.seed, nonce.nonce, self.nonce_r, SPI_I, SPI_R)

    def answer_auth(self, keys) -> bytes:  # type: ignore[no-untyped-def]
        """IKE_AUTH with a PSK and one Child SA."""
        prf = self.suite.prf
        cipher_i, cipher_r = self.suite.ciphers(keys)
        request = sk.open(self.auth_request, Header.decode(self.auth_request), cipher_i)
        rules.check(request)
        idi, auth = request.first(IdiPayload), request.first(AuthPayload)
        assert idi is not None
        assert auth is not None
        verify_psk_auth(prf, PSK, signed_octets(prf, self.init_request, self.nonce_r, keys.sk_pi, idi.body), auth.data)
        idr = IdrPayload(IdType.FQDN, b"gateway.example.net")
        mine = psk_auth(prf, PSK, signed_octets(prf, self.init_response, self.nonce_i, keys.sk_pr, idr.body))
        derive_child_keymat(prf, self.child, keys.sk_d, self.nonce_i + self.nonce_r)
        payloads = (
            idr,
            AuthPayload(AuthMethod.SHARED_KEY_MIC, mine),
            CpPayload(CfgType.REPLY, (CpAttribute(CpAttributeType.INTERNAL_IP4_ADDRESS, b"\n\0\0\1"),)),
            self.esp_sa,
            TsiPayload((ANY_V4,)),
            TsrPayload((ANY_V4,)),
        )
        header = Header(SPI_I, SPI_R, ExchangeType.IKE_AUTH, 1, False, True)
        return sk.seal(header, payloads, cipher_r, bytes(cipher_r.iv_octets))

    def whole(self) -> None:
        """The responder's part of a set-up; the peer's IKE_AUTH is sealed with the keys of the first one."""
        self.answer_init(self.suite.ke.generate())
        self.answer_auth(self.keys)

    def primitives(self) -> None:
        """The library calls of `whole`, with ready octets."""
        prf, keys = self.suite.prf, self.keys
        key = self.suite.ke.generate()
        prf.prf(bytes(64), key.exchange(self.peer_key.public))
        prf.plus(keys.sk_d, bytes(80), 3 * 32 + 2 * self.suite.encr.key_octets + (64 if self.suite.integ else 0))
        prf.plus(keys.sk_d, bytes(64), 2 * self.suite.encr.key_octets + (64 if self.suite.integ else 0))
        for data in (bytes(25), b"Key Pad for IKEv2", self.init_request) * 2:
            prf.prf(keys.sk_pi, data)
        cipher_i, cipher_r = self.suite.ciphers(keys)
        if isinstance(cipher_i, AeadCipher):
            sealed = self.auth_request[32:]
            cipher_i.algorithm(keys.sk_ei[:-4]).decrypt(
                keys.sk_ei[-4:] + sealed[:8], sealed[8:], self.auth_request[:32]
            )
            cipher_r.seal(bytes(32), bytes(8), bytes(180))
        else:
            assert self.suite.integ
            for _ in range(2):
                self.suite.integ.mac(keys.sk_ai, self.auth_request)
                encryptor = Cipher(algorithms.AES(keys.sk_ei), modes.CBC(bytes(16))).encryptor()
                encryptor.update(bytes(240)) + encryptor.finalize()


def report(s: Setup) -> dict[str, float]:
    """What is measured of one suite, in microseconds."""
    key = s.suite.ke.generate()
    header = Header.decode(s.init_request)
    init = Message.decode(s.init_request)
    cipher, _ = s.suite.ciphers(s.keys)
    auth_header = Header.decode(s.auth_request)
    opened = sk.open(s.auth_request, auth_header, cipher)
    iv = bytes(cipher.iv_octets)
    whole, raw = best(s.whole), best(s.primitives)
    return {
        "whole responder set-up": whole,
        "raw primitives": raw,
        "our own part": whole - raw,
        "  Header.decode": best(lambda: Header.decode(s.init_request)),
        "  Message.decode IKE_SA_INIT": best(lambda: Message.decode(s.init_request, header)),
        "  rules.check": best(lambda: rules.check(init)),
        "  Message.encode": best(init.encode),
        "  sk.open IKE_AUTH": best(lambda: sk.open(s.auth_request, auth_header, cipher)),
        "  sk.seal the same": best(lambda: sk.seal(opened.header, opened.payloads, cipher, iv)),
        "  IKE_SA_INIT without key making": best(lambda: s.answer_init(key)),
        "  IKE_AUTH": best(lambda: s.answer_auth(s.keys)),
    }


def main() -> None:
    """Print a table for each suite."""
    for name, (ike, esp) in SUITES.items():
        s = Setup(ike, esp)
        print(f"{name}: {len(s.init_request)} and {len(s.auth_request)} octets in")
        for what, us in report(s).items():
            print(f"  {what:34s} {us:8.1f} us")


if __name__ == "__main__":
    main()
