"""The log of a child process: JSON lines on stderr, which wsgd reads and puts in its own log.

A line is written whole or not at all, and never waits: when wsgd does not read, lines are dropped and their number
is told later.
"""

from __future__ import annotations

import json
import logging
import os

MAX_LINE_OCTETS = 3500
"""Below PIPE_BUF (4,096), so that a write is atomic."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "fields"}


class PipeHandler(logging.Handler):
    """Writes records to a descriptor that it makes non-blocking. Keys of a line: t(ime), l(evel), n(ame), m(essage),
    f(ields), x (traceback)."""

    def __init__(self, fd: int = 2) -> None:
        super().__init__()
        os.set_blocking(fd, False)
        self._fd = fd
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; never raises, for an error here has nowhere to go."""
        try:
            line = encode_record(record, self.dropped)
            if os.write(self._fd, line) == len(line):
                self.dropped = 0
        except BlockingIOError:
            self.dropped += 1
        except (OSError, ValueError, TypeError):
            pass


def encode_record(record: logging.LogRecord, dropped: int = 0) -> bytes:
    """One line, at most MAX_LINE_OCTETS: the traceback is shortened first (its end matters), then the message."""
    fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    given = getattr(record, "fields", None)
    if isinstance(given, dict):
        fields.update(given)
    if dropped:
        fields["log_lines_dropped"] = dropped
    entry: dict[str, object] = {"t": record.created, "l": record.levelno, "n": record.name, "m": record.getMessage()}
    if fields:
        entry["f"] = {str(k): v if isinstance(v, int | float | str | None) else str(v) for k, v in fields.items()}
    if record.exc_info and record.exc_info[0]:
        entry["x"] = logging.Formatter().formatException(record.exc_info)[-1500:]
    line = json.dumps(entry).encode() + b"\n"
    if len(line) > MAX_LINE_OCTETS:
        short = {"n": record.name[:100], "m": record.getMessage()[:400], "x": str(entry.get("x", ""))[-500:]}
        line = json.dumps({"t": record.created, "l": record.levelno, **short}).encode() + b"\n"
    return line


def decode_line(line: bytes) -> logging.LogRecord | None:
    """The record of a line of encode_record, or None when it is something else (a panic, an interpreter's
    traceback)."""
    try:
        entry = json.loads(line)
        if not isinstance(entry, dict):
            return None
        given = entry.get("f")
        fields = dict(given) if isinstance(given, dict) else {}
        if entry.get("x"):
            fields["child_traceback"] = str(entry["x"])
        level = int(entry["l"])
        known = {"name": str(entry["n"]), "levelno": level, "levelname": logging.getLevelName(level), "fields": fields}
        return logging.makeLogRecord({**known, "msg": "%s", "args": (str(entry["m"]),), "created": float(entry["t"])})
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def configure(level: str, fd: int = 2) -> None:
    """Send all logging of this child process to wsgd."""
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(PipeHandler(fd))
    root.setLevel(level.upper())
    logging.captureWarnings(True)
