"""Locks and the shared candidate (RFC 6241 sections 7.5, 7.6 and 8.3)."""

from __future__ import annotations

import pytest

from netconf.datastores import Datastores
from netconf.errors import RpcError
from netconf.yang.context import YangContext
from netconf.yang.edit import Delta


@pytest.fixture
def stores(context: YangContext) -> Datastores:
    return Datastores(context.parse('<top xmlns="urn:t"><a>5</a></top>', "xml"))


def denied(error: RpcError) -> tuple[str, tuple[tuple[str, str], ...]]:
    return error.tag, error.info


def test_a_lock_names_its_holder(stores: Datastores) -> None:
    stores.lock("running", 4)
    for other in (4, 5):
        with pytest.raises(RpcError) as caught:
            stores.lock("running", other)
        assert denied(caught.value) == ("lock-denied", (("session-id", "4"),))
    with pytest.raises(RpcError) as caught:
        stores.check_access("running", 5)
    assert denied(caught.value) == ("in-use", (("session-id", "4"),))
    stores.check_access("running", 4)
    stores.check_access("candidate", 5)


def test_only_the_holder_unlocks(stores: Datastores) -> None:
    with pytest.raises(RpcError) as caught:
        stores.unlock("running", 4)
    assert caught.value.tag == "operation-failed"
    stores.lock("running", 4)
    with pytest.raises(RpcError) as caught:
        stores.unlock("running", 5)
    assert denied(caught.value) == ("operation-failed", (("session-id", "4"),))
    stores.unlock("running", 4)
    stores.lock("running", 5)


def test_a_modified_candidate_cannot_be_locked(stores: Datastores) -> None:
    stores.note(Delta([("changed", "/t:top/a")]))
    with pytest.raises(RpcError) as caught:
        stores.lock("candidate", 4)
    assert denied(caught.value) == ("lock-denied", (("session-id", "0"),))
    stores.discard()
    stores.lock("candidate", 4)


def test_with_the_lock_goes_what_was_not_committed(stores: Datastores) -> None:
    """RFC 6241 section 8.3.5.2."""
    stores.lock("candidate", 4)
    stores.replace_candidate(stores.running.context.empty())
    assert stores.modified
    stores.release_all(5)
    assert stores.modified
    stores.release_all(4)
    assert not stores.modified
    assert stores.candidate.print("xml") == '<top xmlns="urn:t"><a>5</a></top>'


def test_the_candidate_is_a_copy_from_the_first_edit_on(stores: Datastores) -> None:
    assert stores.candidate is stores.running
    assert stores.candidate_for_edit() is not stores.running
    assert stores.candidate_for_edit() is stores.candidate
    assert stores.read("startup").print("xml") == ""
