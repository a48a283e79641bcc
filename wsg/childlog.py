"""What children write to stderr, in wsgd's own log: their JSON lines as records, anything else (a panic) as it is."""

from __future__ import annotations

import asyncio
import logging

from nf.io.logs import decode_line

MAX_LINES_KEPT = 8192


async def pump(stream: asyncio.StreamReader, name: str) -> None:
    """Log every line until the child closes the stream."""
    log = logging.getLogger(f"child.{name}")
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than the stream's limit: the rest of it follows as other lines
            continue
        if not line:
            return
        record = decode_line(line)
        if record is None:
            text = line.decode(errors="replace").rstrip()
            if text:
                log.error("child-output", extra={"fields": {"child": name, "line": text}})
            continue
        record.fields = {"child": name, **getattr(record, "fields", {})}
        target = logging.getLogger(record.name)
        if target.isEnabledFor(record.levelno):
            target.handle(record)
