"""Log lines: one event a line, fields apart from text, no secret whatever way it came in."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from telemetry.logs import REDACTED, configure, redact_fields, redact_text

Lines = Callable[[], list[str]]


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger; the root logger is put back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield logging.getLogger("nf.test")
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_text_lines(log: logging.Logger) -> None:
    out = io.StringIO()
    configure("info", "text", out)
    log.info("ike-sa-up", extra={"fields": {"peer": "192.0.2.1", "id": 'a "b" c', "spi": 7, "empty": ""}})
    line = out.getvalue()
    assert line.endswith(' INFO    nf.test ike-sa-up peer=192.0.2.1 id="a \\"b\\" c" spi=7 empty=""\n')
    assert line[10] == "T"
    assert line[23] == "Z"


def test_json_lines(log: logging.Logger) -> None:
    out = io.StringIO()
    configure("DEBUG", "json", out)
    log.debug("seen %d", 3, extra={"fields": {"event": "hidden?", "rate": float("nan"), "deep": {"psk": "x", "n": 1}}})
    entry = json.loads(out.getvalue())
    assert (entry["level"], entry["logger"], entry["event"]) == ("debug", "nf.test", "seen 3")
    assert entry["fields"] == {"event": "hidden?", "rate": "nan", "deep": {"psk": REDACTED, "n": 1}}


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_peer_cannot_forge_a_line(log: logging.Logger, form: str) -> None:
    """An identity with line ends or terminal escapes stays within its own line."""
    out = io.StringIO()
    configure("info", form, out)  # type: ignore[arg-type]
    log.info("bad %s", "x\n2026-01-01 ERROR forged", extra={"fields": {"id\nx": "a\r\nb\x1b[31m\u2028c"}})
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("oops")
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert "\x1b" not in out.getvalue()
    assert "Traceback" in lines[1]
    assert "two" in lines[1]


@pytest.mark.parametrize(
    "name",
    [
        "psk",
        "local_psk",
        "remote-psk",
        "pre-shared-key",
        "password",
        "user_password",
        "secret",
        "token",
        "sk_d",
        "SK_ei",
        "keymat",
        "encr_key",
        "integ-key",
        "private_key",
        "master-key",
        "session_key",
        "key",
        "passphrase",
        "nonce",
    ],
)
def test_fields_with_secret_names_lose_their_value(name: str) -> None:
    assert redact_fields({name: "hunter2"}) == {name: REDACTED}


@pytest.mark.parametrize(
    "name", ["key_bits", "key_id", "peer", "spi_in", "keepalive", "ke_method", "tokens_left", "passed"]
)
def test_other_fields_keep_theirs(name: str) -> None:
    assert redact_fields({name: "7"}) == {name: "7"}


def test_octets_are_never_shown() -> None:
    assert redact_fields({"blob": b"abc", "view": memoryview(b"x")}) == {"blob": REDACTED, "view": REDACTED}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("login with password=hunter2 failed", f"login with password={REDACTED} failed"),
        ("psk: 'two words' end", f"psk: {REDACTED} end"),
        ("Sa(encr_key=b'\\x01\\x02', spi=3)", f"Sa(encr_key={REDACTED}, spi=3)"),
        ("leaf is $8$c2VhbGVkLXRleHQ= now", f"leaf is {REDACTED} now"),
        ("hash $6$saltsalt$abcdefghijk", f"hash {REDACTED}"),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY----- rest", f"{REDACTED} rest"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", REDACTED),
        ("the key of list entry is missing", "the key of list entry is missing"),
        ("price is $5 and $6", "price is $5 and $6"),
        ("ssh-ed25519 AAAAC3Nz user@host", "ssh-ed25519 AAAAC3Nz user@host"),
    ],
)
def test_secrets_in_running_text(text: str, expected: str) -> None:
    assert redact_text(text) == expected


def test_secrets_in_arguments_and_tracebacks(log: logging.Logger) -> None:
    out = io.StringIO()
    configure("info", "text", out)
    try:
        raise ValueError("psk=hunter2")
    except ValueError:
        log.exception("failed with %s", "password=hunter3")
    assert "hunter" not in out.getvalue()


def test_a_malformed_log_call_is_shown(log: logging.Logger) -> None:
    out = io.StringIO()
    configure("info", "text", out)
    log.info("%d of %s", "x")
    assert "%d of %s ('x',)" in out.getvalue()


@pytest.mark.parametrize(("level", "form"), [("loud", "text"), ("info", "xml")])
def test_bad_settings_are_refused(level: str, form: str) -> None:
    with pytest.raises(ValueError):
        configure(level, form)  # type: ignore[arg-type]
