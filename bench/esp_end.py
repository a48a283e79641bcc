"""One end of a tunnel with static keys on our data path, for `datapath.py`: python bench/esp_end.py (in its namespace).

Prints `ready`, then works until its standard input ends or it gets SIGTERM.
"""

from __future__ import annotations

import argparse
import hashlib
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nf.datapath.port import Direction, Sa, Selector
from nf.datapath.software import SoftwareDatapath
from nf.io.tun import open_tun

ENCR = {"aes-gcm": (20, 256, 36, 0, 0), "aes-cbc": (12, 256, 32, 12, 32)}
"""Cipher -> transform, key bits, octets of the key with its salt, integrity transform, octets of its key."""


def _key(label: str, octets: int) -> bytes:
    """A key that both ends know; there is nothing to protect."""
    return hashlib.shake_256(label.encode()).digest(octets)


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name in ("local", "remote", "tun"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--cipher", choices=sorted(ENCR), default="aes-gcm")
    arguments.add_argument("--native", action="store_true", help="ESP by itself, not in UDP")
    arguments.add_argument("--threads", type=int, default=0)
    arguments.add_argument("--no-offload", action="store_true")
    options = arguments.parse_args()
    datapath = SoftwareDatapath(threads=options.threads, offload=not options.no_offload)
    tun = open_tun(options.tun, 1, offload=not options.no_offload)
    datapath.add_tun(0, tun.fds, tun.mtu)
    if options.native:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
        raw.bind((options.local, 0))
        datapath.add_raw(0, options.local, 4, raw.fileno())
    else:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, 33, 16 * 1024 * 1024)  # SO_RCVBUFFORCE, as wsgd sets it
        udp.bind((options.local, 4500))
        datapath.add_udp(0, options.local, udp.fileno())
    encr, bits, key_octets, integ, integ_octets = ENCR[options.cipher]
    everything = (Selector(0, 0, 65535, "0.0.0.0", "255.255.255.255"),)
    port = 0 if options.native else 4500
    for number, (direction, of) in enumerate(
        ((Direction.INBOUND, options.local), (Direction.OUTBOUND, options.remote)), start=1
    ):
        datapath.install_sa(
            Sa(
                sa_id=number,
                direction=direction,
                context_index=0,
                spi=int.from_bytes(_key(f"spi of {of}", 3)) | 0x1000000,
                child_id=1,
                policy_id=1,
                local=options.local,
                remote=options.remote,
                encr=encr,
                key_bits=bits,
                integ=integ,
                encr_key=_key(f"encryption to {of}", key_octets),
                integ_key=_key(f"integrity to {of}", integ_octets),
                local_ts=everything,
                remote_ts=everything,
                encap_local_port=port,
                encap_remote_port=port,
            )
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("ready", flush=True)
    try:
        signal.pause()
    finally:
        datapath.stop()


if __name__ == "__main__":
    main()
