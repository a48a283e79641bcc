"""Instance paths of the mapping, and the JSON that it reads."""

from __future__ import annotations

import pytest

from netconf.mapping.paths import entry, literal, secret_ref
from netconf.mapping.tree import entries, inner, plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [("ran", "'ran'"), ("it's", '"it\'s"'), ('"', "'\"'"), ("a'b\"c", "concat('a', \"'\", 'b\"c')")],
)
def test_literal(value: str, expected: str) -> None:
    assert literal(value) == expected


def test_secret_ref_marks_sealed_text_only() -> None:
    """The mark is of what is stored anyway; of a clear value there is none, since it would give the value away."""
    where = (entry("context", "name", "ran"), "key")
    assert secret_ref(where, "clear") == "/gateway/context[name='ran']/key"
    one, two = secret_ref(where, "$8$AAAA"), secret_ref(where, "$8$BBBB")
    assert one != two
    assert one.partition("#")[0] == two.partition("#")[0] == "/gateway/context[name='ran']/key"
    assert secret_ref(where, "$8$AAAA") == one


def test_plain_takes_modules_off_names_only() -> None:
    assert plain({"m:a": [{"n:b": "m:value"}], "c": 1}) == {"a": [{"b": "m:value"}], "c": 1}


def test_plain_refuses_two_members_with_one_name() -> None:
    with pytest.raises(ValueError, match="one name"):
        plain({"m:a": 1, "n:a": 2})


def test_missing_containers_are_empty() -> None:
    assert inner({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert inner({}, "a", "b") == {}
    assert entries({"a": {"b": [1]}}, "a", "b") == [1]
    assert entries({}, "a", "b") == []
