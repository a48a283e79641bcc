"""Log set-up: one event a line, as text or as JSON, with secrets taken out (architecture sections 3 and 8).

A message is a short event name; its facts are fields: `log.warning("authentication-failed", extra={"fields": {"peer":
peer}})`. Messages with arguments in the usual way are fine too.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Literal

REDACTED = "[redacted]"

_SECRET_FIELD = re.compile(
    r"(?:^|[_.-])(?:psk|pre-?shared-?key|password|passwd|passphrase|secret|secrets|token|credential|credentials|sk_[a-z]+|keymat|skeyseed|nonce"
    r"|(?:private|master|manual|encr|integ|session|shared|api)[_-]?key|key)$",
    re.IGNORECASE,
)
# In running text: name=value or name: value of a secret, a sealed or hashed secret, and a PEM block.
_SECRET_TEXT = re.compile(
    r"(?P<name>\b(?:[\w-]*[_-])?(?:psk|pre-?shared-?key|password|passwd|passphrase|secret|private[_-]?key|master[_-]?key|encr_key|integ_key|keymat"
    r"|skeyseed|sk_[a-z]{1,2})\s*[=:]\s*)(?P<value>'[^']*'|\"[^\"]*\"|b'[^']*'|\S+)"
    r"|(?P<sealed>\$(?:8|1|5|6|y|2[aby])\$[A-Za-z0-9+/=.$_-]{8,})"
    r"|(?P<pem>-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact_text(text: str) -> str:
    """`text` without what looks like a secret: `psk=...`, `$8$...`, a crypt hash, a private key in PEM."""

    # Nothing below matches without one of these, and most lines have none: an event is logged for every tunnel.
    if "=" not in text and ":" not in text and "$" not in text and "-----" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        return f"{match['name']}{REDACTED}" if match["name"] else REDACTED

    return _SECRET_TEXT.sub(replace, text)


@functools.lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_FIELD.search(name) is not None


def redact_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """A copy where a secret-looking name has lost its value, and octets are never shown (they are keys more often than
    not).
    """
    clean: dict[str, object] = {}
    for name, value in fields.items():
        if _is_secret(name) or isinstance(value, bytes | bytearray | memoryview):
            clean[name] = REDACTED
        elif isinstance(value, Mapping):
            clean[name] = redact_fields({str(key): item for key, item in value.items()})
        elif isinstance(value, bool | int) or value is None or (isinstance(value, float) and math.isfinite(value)):
            clean[name] = value
        else:
            clean[name] = redact_text(str(value))
    return clean


def record_fields(record: logging.LogRecord) -> dict[str, object]:
    """The fields of a record, redacted: `extra={"fields": {...}}` and any other `extra`."""
    fields: dict[str, object] = {}
    for name, value in vars(record).items():
        if name == "fields" and isinstance(value, Mapping):
            fields.update({str(key): item for key, item in value.items()})
        elif name not in _STANDARD:
            fields[name] = value
    return redact_fields(fields)


class EventFormatter(logging.Formatter):
    """What text and JSON lines share."""

    def event(self, record: logging.LogRecord) -> str:
        """The message, redacted; a malformed log call is shown rather than raised."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = f"{record.msg} {record.args!r}"
        return redact_text(message)

    def traceback(self, record: logging.LogRecord) -> str:
        """The traceback of the record, redacted, or nothing."""
        text = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        if record.stack_info:
            text = f"{text}\n{record.stack_info}".strip()
        return redact_text(text)

    @staticmethod
    def timestamp(record: logging.LogRecord) -> str:
        """RFC 3339, UTC, milliseconds."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    """`text` with what would end or hide a line escaped: a peer's identity must not forge a log entry."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


class TextFormatter(EventFormatter):
    """`2026-11-22T17:00:00.000Z INFO  nf.ike.engine ike-sa-up peer=192.0.2.1`, for people."""

    def format(self, record: logging.LogRecord) -> str:
        parts = [self.timestamp(record), f"{record.levelname:<7}", record.name, _one_line(self.event(record))]
        for name, value in record_fields(record).items():
            text = _one_line(str(value))
            quoted = json.dumps(text, ensure_ascii=False) if not text or any(char in text for char in ' "=') else text
            parts.append(f"{_one_line(name)}={quoted}")
        if traceback := self.traceback(record):
            parts.append(f"traceback={json.dumps(traceback)}")
        return " ".join(parts)


class JsonFormatter(EventFormatter):
    """One JSON object a line: time, level, logger, event, and the fields in an object of their own, so that none can
    hide another.
    """

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": self.timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self.event(record),
        }
        if fields := record_fields(record):
            entry["fields"] = fields
        if traceback := self.traceback(record):
            entry["traceback"] = traceback
        return json.dumps(entry, ensure_ascii=True, allow_nan=False, default=str)


def configure(
    level: str = "info", form: Literal["text", "json"] = "text", stream: IO[str] | None = None
) -> logging.Handler:
    """Send all logging of this process to `stream` (stderr), replacing what was set up before; return the handler.

    level: a name of the logging module, in any case. Raises ValueError for an unknown level or form.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"unknown log level {level!r}")
    formatters: dict[str, type[EventFormatter]] = {"text": TextFormatter, "json": JsonFormatter}
    if form not in formatters:
        raise ValueError(f"unknown log format {form!r}")
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(formatters[form]())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    # asyncssh says at info what is debug here: each channel and each authentication step.
    logging.getLogger("asyncssh").setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)
    return handler
