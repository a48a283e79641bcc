"""Messages of ours read by another implementation: tshark decodes them, opens them and checks their ICV."""

import shutil
import struct
import subprocess

import pytest

from nf.crypto.keymat import derive_ike_keys
from nf.crypto.suite import IkeSuite
from nf.wire import sk
from nf.wire.message import ZERO_SPI, Header, Message
from nf.wire.payloads import (
    AuthPayload,
    CpAttribute,
    CpPayload,
    DeletePayload,
    IdiPayload,
    KePayload,
    NoncePayload,
    NotifyPayload,
    Proposal,
    SaPayload,
    TrafficSelector,
    Transform,
    TsiPayload,
    TsrPayload,
    VendorIdPayload,
)

SPI_I, SPI_R = bytes.fromhex("a1a2a3a4a5a6a7a8"), bytes.fromhex("b1b2b3b4b5b6b7b8")
NONE = "NONE [RFC4306]"
SUITES = [
    ((20, 128, 5, 0), "AES-GCM-128 with 16 octet ICV [RFC5282]", NONE),
    ((20, 256, 6, 0), "AES-GCM-256 with 16 octet ICV [RFC5282]", NONE),
    ((12, 128, 2, 2), "AES-CBC-128 [RFC3602]", "HMAC_SHA1_96 [RFC2404]"),
    ((12, 256, 5, 12), "AES-CBC-256 [RFC3602]", "HMAC_SHA2_256_128 [RFC4868]"),
    ((12, 256, 6, 13), "AES-CBC-256 [RFC3602]", "HMAC_SHA2_384_192 [RFC4868]"),
    ((12, 192, 7, 14), "AES-CBC-192 [RFC3602]", "HMAC_SHA2_512_256 [RFC4868]"),
]


def pcap(datagrams):
    """IPv4 and UDP around each, from port 500 to port 500, as a capture file of link type 101 (raw IP)."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for data in datagrams:
        udp = struct.pack(">HHHH", 500, 500, 8 + len(data), 0) + data
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\n\0\0\1", b"\n\0\0\2") + udp
        out += struct.pack("<IIII", 0, 0, len(ip), len(ip)) + ip
    return out


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize(("suite", "encr", "integ"), SUITES)
def test_tshark_reads_what_we_write(tmp_path, suite, encr, integ):
    """No expert complaint, the ICV correct, and the values inside as we put them."""
    ike = IkeSuite.of(*suite, 31)
    keys = derive_ike_keys(ike, b"s" * ike.prf.octets, b"n" * 32, b"m" * 32, SPI_I, SPI_R)
    cipher_i, cipher_r = ike.ciphers(keys)
    any_v4 = TrafficSelector(7, 0, 0, 65535, 0, 0xFFFFFFFF)
    any_v6 = TrafficSelector(8, 0, 0, 65535, 0, 2**128 - 1)
    esp = SaPayload((Proposal(1, 3, b"\xde\xad\xbe\xef", (Transform(1, 20, 256), Transform(5, 0))),))
    init = Message(
        Header(SPI_I, ZERO_SPI, 34, 0, True, False),
        (
            SaPayload((Proposal(1, 1, b"", (Transform(1, 20, 256), Transform(2, 5), Transform(4, 31))),)),
            KePayload(31, b"k" * 32),
            NoncePayload(b"n" * 32),
            NotifyPayload(16388, b"h" * 20),
            VendorIdPayload(b"vendor"),
        ),
    ).encode()
    auth = (
        IdiPayload(2, b"peer.example.net"),
        AuthPayload(2, b"a" * 32),
        CpPayload(1, (CpAttribute(1), CpAttribute(3))),
        esp,
        TsiPayload((any_v4, any_v6)),
        TsrPayload((any_v4,)),
        NotifyPayload(16384),
    )
    sealed = sk.seal(Header(SPI_I, SPI_R, 35, 1, True, False), auth, cipher_i, b"\x42" * cipher_i.iv_octets)
    delete = (DeletePayload(3, (0xDEADBEEF, 1)),)
    reply = sk.seal(Header(SPI_I, SPI_R, 37, 2, False, True), delete, cipher_r, b"\x43" * cipher_r.iv_octets)
    capture = tmp_path / "ike.pcap"
    capture.write_bytes(pcap([init, sealed, reply]))
    sa = (SPI_I.hex(), SPI_R.hex(), keys.sk_ei.hex(), keys.sk_er.hex())
    row = ",".join((*sa, f'"{encr}"', keys.sk_ai.hex(), keys.sk_ar.hex(), f'"{integ}"'))
    command = ["tshark", "-r", str(capture), "-V", "-o", f"uat:ikev2_decryption_table:{row}"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    for wrong in ("Malformed", "Expert Info (Error", "Expert Info (Warning", "incorrect"):
        assert wrong not in text
    assert text.count("[correct]") == 2
    for seen in (
        "peer.example.net",
        "Curve25519",
        "INITIAL_CONTACT",
        "INTERNAL_IP4_ADDRESS",
        "deadbeef",
        "NAT_DETECTION_SOURCE_IP",
        "TS_IPV6_ADDR_RANGE",
    ):
        assert seen in text
