"""Prepare, commit, abort: all or nothing (architecture section 3)."""

from __future__ import annotations

import pytest

from nf.config.snapshot import GatewaySnapshot
from nf.config.transaction import Change, CommitFailed, PrepareError, run

CHANGE = Change(GatewaySnapshot(1), GatewaySnapshot(2), {"/psk": b"topsecret"})


class Part:
    """Writes what is asked of it into a common book; fails where told."""

    def __init__(self, name: str, book: list[str], fails_in: str = "") -> None:
        self.name, self.book, self.fails_in = name, book, fails_in

    async def _do(self, what: str) -> None:
        self.book.append(f"{what} {self.name}")
        if self.fails_in == what:
            if what == "prepare":
                raise PrepareError(("system", "x"), "no", error_tag="invalid-value")
            raise ZeroDivisionError

    async def prepare(self, change: Change) -> str:
        await self._do("prepare")
        return self.name

    async def commit(self, plan: str) -> None:
        assert plan == self.name
        await self._do("commit")

    async def abort(self, plan: str) -> None:
        assert plan == self.name
        await self._do("abort")


def parts(**fails: str) -> tuple[list[Part], list[str]]:
    book: list[str] = []
    return [Part(name, book, fails.get(name, "")) for name in "abc"], book


async def test_all_prepare_then_persist_then_all_commit() -> None:
    made, book = parts()

    async def persist() -> None:
        book.append("persist")

    await run(made, CHANGE, persist)
    assert book == ["prepare a", "prepare b", "prepare c", "persist", "commit a", "commit b", "commit c"]


async def test_a_refusal_aborts_those_prepared_in_reverse() -> None:
    made, book = parts(c="prepare")
    with pytest.raises(PrepareError) as refused:
        await run(made, CHANGE, lambda: pytest.fail("persisted"))
    assert str(refused.value) == "/system/x: no"
    assert book == ["prepare a", "prepare b", "prepare c", "abort b", "abort a"]


async def test_a_persist_that_fails_aborts_all() -> None:
    made, book = parts()

    async def persist() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        await run(made, CHANGE, persist)
    assert book[3:] == ["abort c", "abort b", "abort a"]


async def test_an_abort_that_fails_does_not_keep_the_others_from_theirs() -> None:
    made, book = parts(b="abort", c="prepare")
    with pytest.raises(PrepareError):
        await run(made, CHANGE, lambda: pytest.fail("persisted"))
    assert book[3:] == ["abort b", "abort a"]


async def test_a_commit_that_fails_is_reported_after_all_have_had_their_turn() -> None:
    made, book = parts(a="commit")

    async def persist() -> None: ...

    with pytest.raises(CommitFailed, match="commit failed in a"):
        await run(made, CHANGE, persist)
    assert book[3:] == ["commit a", "commit b", "commit c"]


def test_secrets_are_in_no_repr() -> None:
    assert "secret" not in repr(CHANGE)
