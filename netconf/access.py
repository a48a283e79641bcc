"""Who may log in: users of the configuration, or, before there are any, the holder of the bootstrap key."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import asyncssh

from netconf.passwords import PasswordRefused, check_password, hash_password
from nf.config.snapshot import LocalUser

log = logging.getLogger(__name__)

BOOTSTRAP_USER = "admin"
ADMIN_KEY = "admin_key"
HOST_KEYS = (("ssh_host_ed25519_key", "ssh-ed25519"), ("ssh_host_ecdsa_key", "ecdsa-sha2-nistp256"))


class Access:
    """Answers the questions of SSH authentication from the configuration in force."""

    def __init__(self, state_dir: Path, users: Callable[[], tuple[LocalUser, ...]]) -> None:
        """users: those of the configuration in force, asked at each log-in."""
        self._users = users
        self._admin_key = state_dir / ADMIN_KEY
        # Checked in place of an unknown user's hash, so that the time taken does not tell who exists.
        self._nobody = hash_password(os.urandom(16).hex())

    def ensure_bootstrap(self) -> None:
        """Make the bootstrap key while nobody is configured; an existing one is kept."""
        if not self._users() and not self._admin_key.exists():
            _make_key(self._admin_key, "ssh-ed25519", "openwsg bootstrap administrator")
            log.warning("bootstrap-key-made file=%s user=%s", self._admin_key, BOOTSTRAP_USER)

    def accepts_key(self, user: str, key: asyncssh.SSHKey) -> bool:
        """Whether a public key belongs to a user."""
        users = self._users()
        if not users:
            return user == BOOTSTRAP_USER and any(key == known for known in self._bootstrap_keys())
        lines = next((known.authorized_keys for known in users if known.name == user), ())
        return any(key == known for line in lines for known in _public_keys(line))

    async def accepts_password(self, user: str, password: str) -> bool:
        """Whether a password is a user's; the work is done in a thread."""
        known = next((u for u in self._users() if u.name == user and u.password_hash), None)
        hashed = known.password_hash if known is not None and known.password_hash else self._nobody
        try:
            await asyncio.to_thread(check_password, password, hashed)
        except PasswordRefused:
            return False
        return known is not None

    def _bootstrap_keys(self) -> list[asyncssh.SSHKey]:
        try:
            return _public_keys(self._admin_key.with_name(f"{ADMIN_KEY}.pub").read_text())
        except OSError:
            return []


def host_keys(state_dir: Path) -> list[asyncssh.SSHKey]:
    """The server's keys, made at the first start. Raises OSError, asyncssh.KeyImportError."""
    keys = []
    for name, algorithm in HOST_KEYS:
        path = state_dir / name
        if not path.exists():
            _make_key(path, algorithm, "openwsg")
        keys.append(asyncssh.read_private_key(path))
    return keys


def _public_keys(line: str) -> list[asyncssh.SSHKey]:
    try:
        return [asyncssh.import_public_key(line.strip())]
    except asyncssh.KeyImportError:
        return []


def _make_key(path: Path, algorithm: str, comment: str) -> None:
    key = asyncssh.generate_private_key(algorithm, comment=comment)
    _write(path.with_name(path.name + ".pub"), key.export_public_key(), 0o644)
    _write(path, key.export_private_key(), 0o600)


def _write(path: Path, octets: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.write(descriptor, octets)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, path)
