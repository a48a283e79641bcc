"""Secret shows nothing and compares only with its kind."""

import copy
import pickle

import pytest

from nf.crypto.secret import Secret


def test_secret_does_not_show():
    """repr, str, format, and inside containers."""
    secret = Secret(b"hunter2hunter2")
    for text in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        f"{secret:>40}",
        repr([secret]),
        repr({1: secret}),
    ):
        assert "hunter2" not in text
    assert len(secret) == 14
    assert secret.octets == b"hunter2hunter2"


def test_secret_equality():
    """By value among Secrets; never equal to octets, and not hashable."""
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != Secret(b"aa")
    assert Secret(b"a") != b"a"
    with pytest.raises(TypeError):
        hash(Secret(b"a"))


def test_secret_is_immutable_and_not_pickled():
    """No way out but `.octets`."""
    secret = Secret(bytearray(b"abc"))
    with pytest.raises(AttributeError):
        secret.octets = b"x"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)
    assert secret.octets == b"abc"
