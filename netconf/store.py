"""Configurations on disk (architecture section 3): a crash at any instant leaves the old one or the new one, whole.

One file holds one configuration: a line of JSON with its revision, author and digest, then the instance data as
JSON. A new one is written beside it, synced, renamed over it, and the directory is synced, before anybody hears that
the commit is done. This first version writes the whole each time; `write` is told what changed already, so that a
journal of edits can take its place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_FORMAT = 1
_MAX_CHANGES = 200
"""Paths kept in one history line; the number of all is there, too."""


class StoreError(Exception):
    """A file that is not what was written: the digest is wrong, or the format is unknown. Names the file."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a commit. session_id is 0 for the gateway itself (the factory default)."""

    user: str
    session_id: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A configuration as it lies on disk. body is JSON instance data; time is RFC 3339 in UTC."""

    revision: int
    time: str
    author: Author
    body: str


class Store:
    """The files of one state directory: running.cfg, startup.cfg, history.jsonl."""

    def __init__(self, directory: Path, *, on_step: Callable[[str], None] | None = None) -> None:
        """on_step: called with the name of each step of a write right after it; tests end the process there."""
        self._directory = directory
        self._on_step = on_step or (lambda step: None)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in directory.glob("*.cfg.new"):
            leftover.unlink(missing_ok=True)

    def read(self, name: str) -> Stored | None:
        """The configuration `name` (running, startup), None when there is none. Raises StoreError, OSError."""
        path = self._path(name)
        try:
            octets = path.read_bytes()
        except FileNotFoundError:
            return None
        head, _, body = octets.partition(b"\n")
        try:
            header = json.loads(head)
            known = header["format"] == _FORMAT
            if known and hashlib.sha256(body).hexdigest() == header["sha256"]:
                author = Author(str(header["user"]), int(header["session-id"]))
                return Stored(int(header["revision"]), str(header["time"]), author, body.decode())
        except (ValueError, KeyError, TypeError):
            known = True
        if known:
            raise StoreError(
                f"{path} is damaged: restore it from a copy, or move it away to begin with the factory default"
            )
        raise StoreError(f"{path} has a format that this version does not know")

    def write(self, name: str, stored: Stored, changes: Sequence[tuple[str, str]] | None = None) -> None:
        """Make `stored` durable as `name`; when this returns it survives power loss. Raises OSError.

        changes: what is different, as (what, path), for the history; None says that the whole was replaced. Values
        are never written there. Only running has a history.
        """
        body = stored.body.encode()
        header = {
            "format": _FORMAT,
            "revision": stored.revision,
            "time": stored.time,
            "user": stored.author.user,
            "session-id": stored.author.session_id,
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        path = self._path(name)
        temporary = path.with_name(path.name + ".new")
        octets = json.dumps(header).encode() + b"\n" + body
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            self._on_step("opened")
            _write_all(descriptor, octets[: len(octets) // 2])
            self._on_step("half-written")
            _write_all(descriptor, octets[len(octets) // 2 :])
            self._on_step("written")
            os.fsync(descriptor)
            self._on_step("synced")
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
        self._on_step("renamed")
        self._sync_directory()
        self._on_step("directory-synced")
        if name == "running":
            self._note(header, changes)
            self._on_step("noted")

    def delete(self, name: str) -> None:
        """Remove a configuration durably; none is no error."""
        self._path(name).unlink(missing_ok=True)
        self._sync_directory()

    def history(self) -> list[dict[str, object]]:
        """Every commit, oldest first: revision, time, user, session-id, changed (a count, or null), changes."""
        entries = []
        with contextlib.suppress(FileNotFoundError):
            for line in (self._directory / "history.jsonl").read_text().splitlines():
                with contextlib.suppress(ValueError):  # a torn last line, from a crash
                    entries.append(json.loads(line))
        return entries

    def _note(self, header: dict[str, object], changes: Sequence[tuple[str, str]] | None) -> None:
        """Add to the history. The commit is durable by now, so a full disk here must not undo it."""
        entry = {key: header[key] for key in ("revision", "time", "user", "session-id")}
        entry["changed"] = None if changes is None else len(changes)
        entry["changes"] = [f"{what} {path}" for what, path in (changes or ())[:_MAX_CHANGES]]
        try:
            descriptor = os.open(
                self._directory / "history.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600
            )
            try:
                _write_all(descriptor, json.dumps(entry).encode() + b"\n")
            finally:
                os.close(descriptor)
        except OSError as error:
            log.error("history-not-written revision=%s error=%s", header["revision"], error)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.cfg"

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, octets: bytes) -> None:
    view = memoryview(octets)
    while view:
        view = view[os.write(descriptor, view) :]
