"""The secret box and its key file (AUT-08)."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from netconf.secrets import SealError, SecretBox, is_sealed

BOX = SecretBox(bytes(32))


@pytest.mark.parametrize("clear", ["a secret", "key with spaces ", "π" * 255, "$9$x"])
def test_seal_and_unseal(clear: str) -> None:
    sealed = BOX.seal(clear)
    assert is_sealed(sealed)
    assert clear not in sealed
    assert BOX.unseal(sealed) == clear.encode()
    assert BOX.seal(clear) != sealed


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SealError) as caught:
        SecretBox(b"1" * 32).unseal(BOX.seal("hush"))
    assert "hush" not in str(caught.value)


def test_every_changed_octet_is_noticed() -> None:
    octets = base64.b64decode(BOX.seal("hush")[3:])
    for at in range(len(octets)):
        changed = bytearray(octets)
        changed[at] ^= 1
        with pytest.raises(SealError):
            BOX.unseal("$8$" + base64.b64encode(changed).decode())


@pytest.mark.parametrize("text", ["", "hush", "$8$", "$8$!!!!", "$8$AAAA", "$9$AAAA"])
def test_what_is_not_sealed_text(text: str) -> None:
    with pytest.raises(SealError):
        BOX.unseal(text)


def test_an_equal_value_keeps_its_text() -> None:
    stored = BOX.seal("hush")
    assert BOX.take_in("hush", stored) == stored
    assert BOX.take_in(BOX.seal("hush"), stored) == stored
    assert BOX.take_in(stored, None) == stored
    other = BOX.take_in("other", stored)
    assert BOX.unseal(other) == b"other"
    with pytest.raises(SealError):
        BOX.take_in("$8$AAAA", stored)


def test_a_stored_text_of_another_key_is_replaced() -> None:
    foreign = SecretBox(b"1" * 32).seal("hush")
    assert BOX.unseal(BOX.take_in("hush", foreign)) == b"hush"


def test_key_file(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    sealed = SecretBox.open(path).seal("hush")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SecretBox.open(path).unseal(sealed) == b"hush"
    path.write_text(path.read_bytes().hex() + "\n")
    assert SecretBox.open(path).unseal(sealed) == b"hush"
    assert list(tmp_path.iterdir()) == [path]
    for bad in (b"", b"x" * 31, b"x" * 33, b"0" * 63, b"g" * 64):
        path.write_bytes(bad)
        with pytest.raises(SealError):
            SecretBox.open(path)


def test_repr_shows_nothing() -> None:
    assert repr(SecretBox(b"k" * 32)) == "SecretBox(...)"
