"""Giving up privileges: what a child process does before it reads its first octet (architecture section 2).

Everything privileged (ports below 1024, raw sockets, the TUN) was opened by wsgd and arrives as a descriptor;
nothing here needs a capability afterwards.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class PrivilegeError(Exception):
    """The process still holds what it should not; it must not go on."""


def drop(uid: int | None, gid: int | None) -> None:
    """Become uid and gid (None keeps ours), without groups, capabilities, core dumps or a way back
    (PR_SET_NO_NEW_PRIVS).

    Where the process may not change its uid (a pod with NET_ADMIN alone) it stays who it is, and loses its
    capabilities all the same.
    Raises PrivilegeError when a capability remains.
    """
    _drop_bounding_set()
    if os.geteuid() == 0 and uid:
        try:
            os.setgroups([])
            os.setresgid(gid or uid, gid or uid, gid or uid)
            os.setresuid(uid, uid, uid)
        except PermissionError:
            pass  # no CAP_SETUID: what counts is that no capability is left
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _clear_capabilities()
    _prctl(_PR_SET_DUMPABLE, 0)  # keys: no core file, no ptrace by others of our uid
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if effective_capabilities():
        raise PrivilegeError(f"capabilities {effective_capabilities():#x} are left")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies; leave at once when it is dead already.

    Call it after `drop`: a change of uid clears the setting.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def effective_capabilities(pid: int | None = None) -> int:
    """The effective capability set of a process (our own by default), as the kernel's bit mask."""
    for line in Path(f"/proc/{pid or 'self'}/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise PrivilegeError(f"prctl {option}: {os.strerror(code)}")


def _drop_bounding_set() -> None:
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            return  # past the last capability, or not permitted: NO_NEW_PRIVS makes the set useless anyway


def _clear_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    if _libc.capset(header, data) != 0:
        code = ctypes.get_errno()
        raise PrivilegeError(f"capset: {os.strerror(code)}")
