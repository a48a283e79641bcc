"""Instance paths: libyang's, error-paths, and the segments of participants."""

from __future__ import annotations

import pytest

from netconf.yang import paths
from netconf.yang.context import YangContext


def space(module: str) -> str | None:
    return {"a": "urn:a", "b": "urn:b"}.get(module)


@pytest.mark.parametrize(
    ("path", "xpath"),
    [
        ("/a:x", "/a:x"),
        ("/a:x/y[k='1'][j=\"it's\"]/b:z/w", "/a:x/a:y[a:k='1'][a:j=\"it's\"]/b:z/b:w"),
        ("/a:x/l[.='/[]']", "/a:x/a:l[.='/[]']"),
    ],
)
def test_error_path(path: str, xpath: str) -> None:
    found = paths.error_path(path, space)
    assert found is not None
    assert found.xpath == xpath
    assert dict(found.namespaces) == {m: f"urn:{m}" for m in ("a", "b") if f"{m}:" in xpath}


def test_no_path() -> None:
    assert paths.error_path("", space) is None


def test_a_path_that_cannot_be_read_is_shown_as_it_is() -> None:
    odd = """/a:x[k="it's"q""]"""
    found = paths.error_path(odd, space)
    assert found is not None
    assert found.xpath == odd


@pytest.mark.parametrize("value", ["a", "it's", 'say "x"', "both ' and \"", "''", ""])
def test_quote(context: YangContext, value: str) -> None:
    from lxml import etree

    assert etree.XML("<x/>").xpath(f"string({paths.quote(value)})") == value


def test_segments(context: YangContext) -> None:
    """PrepareError.path: below the root container or with it; what is unknown does not hide what is known."""

    def resolve(*segments: str) -> str:
        return paths.resolve_segments(segments, context.roots, "top")

    assert resolve("e[k='x'][j='1']", "v") == "/t:top/e[k='x'][j='1']/v"
    assert resolve("top", "np", "z") == "/t:top/np/z"
    assert resolve("np", "nope", "z") == "/t:top/np"
    assert resolve() == ""
