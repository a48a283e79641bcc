"""crypt(3) hashes. The vectors were made with another implementation: `openssl passwd -5` and `-6`, OpenSSL 3.0."""

from __future__ import annotations

import pytest

from netconf.passwords import MAX_PASSWORD, PasswordRefused, check_password, hash_password

VECTORS = [
    ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
]


@pytest.mark.parametrize(("password", "hashed"), VECTORS)
def test_hashes_of_openssl(password: str, hashed: str) -> None:
    check_password(password, hashed)
    with pytest.raises(PasswordRefused):
        check_password(password + "!", hashed)


@pytest.mark.parametrize("method", ["5", "6"])
def test_round_trip(method: str) -> None:
    hashed = hash_password("päss wörd", method)
    assert hashed.startswith(f"${method}$")
    check_password("päss wörd", hashed)
    with pytest.raises(PasswordRefused):
        check_password("pass word", hashed)


@pytest.mark.parametrize("hashed", ["", "*", "x", "$7$", "$6$", "not a hash", "$6$salt$", "*0", "é"])
def test_what_is_no_hash_lets_nobody_in(hashed: str) -> None:
    for password in ("", "x", hashed):
        with pytest.raises(PasswordRefused):
            check_password(password, hashed)


def test_length_limit() -> None:
    longest = "x" * (MAX_PASSWORD - 1)
    check_password(longest, hash_password(longest))
    with pytest.raises(PasswordRefused):
        check_password("x" * MAX_PASSWORD, hash_password(longest))
    with pytest.raises(PasswordRefused):
        check_password("a\0b", hash_password("a"))
