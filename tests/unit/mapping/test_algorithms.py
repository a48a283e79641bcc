"""The algorithm tables cover the identities of the model, one for one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netconf.mapping import algorithms
from netconf.mapping.algorithms import encryption_identity, group_identity, hmac_identity, prf_identity

TYPES = (Path(__file__).parents[3] / "yang/openwsg-types.yang").read_text()


def identities(base: str) -> set[str]:
    """Identities of the module with `base` among their bases."""
    found = re.findall(r"^  identity ([a-z0-9-]+) \{\n(.*?)^  \}", TYPES, re.M | re.S)
    return {name for name, body in found if f"base {base};" in body}


def test_every_identity_has_a_number() -> None:
    assert set(algorithms.ENCRYPTION) == identities("ike-encryption") | identities("esp-encryption")
    assert set(algorithms.PRF) == identities("prf")
    assert set(algorithms.HMAC) == identities("hmac")
    assert set(algorithms.GROUP) == identities("pfs-group")


def test_descriptions_carry_the_same_numbers() -> None:
    """Each identity says its IANA number in brackets; the table agrees."""
    tables = {name: numbers[0] for name, numbers in algorithms.ENCRYPTION.items()}
    tables |= (
        algorithms.PRF
        | {n: v for n, v in algorithms.HMAC.items() if v}
        | {n: v for n, v in algorithms.GROUP.items() if v}
    )
    for name, number in tables.items():
        body = re.search(rf"identity {name} \{{.*?\n  \}}", TYPES, re.S)
        assert body is not None
        stated = re.search(r"[ (](\d+)\)\.", body[0])
        assert stated is not None, name
        assert int(stated[1]) == number, name


def test_both_ways() -> None:
    for name, (encr, key_bits) in algorithms.ENCRYPTION.items():
        assert encryption_identity(encr, key_bits) == f"openwsg-types:{name}"
    for table, back in (
        (algorithms.PRF, prf_identity),
        (algorithms.HMAC, hmac_identity),
        (algorithms.GROUP, group_identity),
    ):
        for name, number in table.items():
            assert back(number) == f"openwsg-types:{name}"


@pytest.mark.parametrize("key_bits", [0, 256])
def test_a_cipher_of_one_key_size_is_found_with_it_or_without(key_bits: int) -> None:
    assert encryption_identity(28, key_bits) == "openwsg-types:chacha20-poly1305"


def test_what_has_no_identity() -> None:
    assert encryption_identity(12, 512) is None
    assert (prf_identity(1), hmac_identity(1), group_identity(2)) == (None, None, None)
