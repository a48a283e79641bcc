"""Salted password hashes in the form of crypt(3), checked by the system's libcrypt.

Python's own crypt module ends with 3.13 and passlib is no longer kept, while libxcrypt is, and every Linux has it.
The call goes through ctypes, which releases the interpreter lock, so it belongs in a thread: a hash costs
milliseconds on purpose.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hmac
import secrets

_DATA_OCTETS = 32768
"""CRYPT_DATA_SIZE of libxcrypt's ABI: what crypt_rn may use as its workspace."""
_SALT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MAX_PASSWORD = 512
"""libxcrypt's CRYPT_MAX_PASSPHRASE_SIZE; longer ones are refused before they cost anything."""

_library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
_crypt_rn = _library.crypt_rn
_crypt_rn.restype = ctypes.c_char_p
_crypt_rn.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]


class PasswordRefused(Exception):
    """The password is not the one that was hashed."""


def hash_password(password: str, method: str = "6") -> str:
    """A new salted hash; method 6 is SHA-512, 5 is SHA-256."""
    salt = "".join(secrets.choice(_SALT) for _ in range(16))
    hashed = _crypt(password, f"${method}${salt}$")
    if hashed is None:
        raise ValueError("libcrypt refuses this password or method")
    return hashed


def check_password(password: str, hashed: str) -> None:
    """Raise PasswordRefused unless `password` has this hash. Takes milliseconds of CPU, outside the interpreter
    lock."""
    again = _crypt(password, hashed)
    if again is None or not hmac.compare_digest(again.encode(), hashed.encode()):
        raise PasswordRefused


def _crypt(password: str, setting: str) -> str | None:
    octets = password.encode()
    if len(octets) >= MAX_PASSWORD or b"\0" in octets or not setting.isascii():
        return None
    workspace = ctypes.create_string_buffer(_DATA_OCTETS)
    result: bytes | None = _crypt_rn(octets, setting.encode(), workspace, _DATA_OCTETS)
    if result is None or result.startswith(b"*"):
        return None
    return result.decode("ascii")
