"""What wsgd needs of its host, looked at before anything is started: each thing that is missing is one plain
sentence."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from nf.io.privileges import effective_capabilities
from nf.io.tun import TUN_DEVICE

_NET_BIND_SERVICE, _NET_ADMIN, _NET_RAW = 10, 12, 13
_UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")

_MODULES = (
    ("libyang", "the libyang binding (pip install libyang==2.7.1, over the system's libyang2)"),
    ("nf.datapath._rust", "the Rust extension of the data path (maturin develop --release, or make install)"),
)


def missing(*, tun_device: str = TUN_DEVICE, capabilities: int | None = None, software: bool = True) -> list[str]:
    """What is missing; empty when wsgd can start.

    capabilities: a bit mask in place of this process's own. software: the Rust data path is wanted.
    """
    have = effective_capabilities() if capabilities is None else capabilities
    gaps = []
    for module, what in _MODULES:
        if not software and module.endswith("_rust"):
            continue
        try:
            importlib.import_module(module)
        except ImportError as error:
            gaps.append(f"module {module} cannot be loaded ({error}): install {what}")
    if not have >> _NET_ADMIN & 1:
        gaps.append("capability NET_ADMIN is missing: TUN devices and routes cannot be made")
    if not have >> _NET_RAW & 1:
        gaps.append("capability NET_RAW is missing: native ESP (IP protocol 50) cannot be received")
    if not have >> _NET_BIND_SERVICE & 1 and _first_unprivileged_port() > 500:
        gaps.append(
            "capability NET_BIND_SERVICE is missing: UDP port 500 cannot be bound "
            "(or set sysctl net.ipv4.ip_unprivileged_port_start=500)"
        )
    if not os.path.exists(tun_device):
        gaps.append(f"device {tun_device} is missing: load the kernel's tun module, or give the container the device")
    elif not os.access(tun_device, os.R_OK | os.W_OK):
        gaps.append(f"device {tun_device} may not be opened by uid {os.geteuid()}")
    return gaps


def _first_unprivileged_port() -> int:
    try:
        return int(_UNPRIVILEGED_PORTS.read_text())
    except (OSError, ValueError):
        return 1024
