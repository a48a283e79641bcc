"""Which exposition format a scraper asks for (RFC 9110 section 12.5.1)."""

from __future__ import annotations

_MAX_RANGES = 16


def prefers_openmetrics(accept: str) -> bool:
    """True where the Accept header prefers an OpenMetrics version that we write (1.0.0, 0.0.1 or unnamed) to plain
    text.

    Without the header, and with one that cannot be understood, the older text format is right: everything reads it.
    """
    openmetrics = text = anything = -1.0
    for part in accept.split(",")[:_MAX_RANGES]:
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        values = dict(piece.split("=", 1) for piece in parameters if "=" in piece)
        quality = _quality(values.get("q", "1"))
        if media == "application/openmetrics-text" and values.get("version", "1.0.0").strip('"') in ("1.0.0", "0.0.1"):
            openmetrics = max(openmetrics, quality)
        elif media in ("text/plain", "text/*"):
            text = max(text, quality)
        elif media == "*/*":
            anything = max(anything, quality)
    return openmetrics > 0 and openmetrics >= (text if text >= 0 else anything)


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
