"""<edit-config> on the candidate (RFC 6241 section 7.2)."""

from __future__ import annotations

from typing import cast

from netconf.errors import RpcError, missing_element
from netconf.rpc.base import OK, Call, datastore, keyword, parameters, required
from netconf.yang.edit import Editor, ErrorOption

DEFAULT_OPERATIONS = ("merge", "replace", "none")
ERROR_OPTIONS = ("stop-on-error", "continue-on-error", "rollback-on-error")
TEST_OPTIONS = ("test-then-set", "set", "test-only")


async def run(call: Call) -> str:
    """Apply an edit.

    Types and the model's structure are always checked. Constraints over the whole datastore are checked here when
    test-option asks for it by name, else at validate and commit: a candidate is built in steps.
    """
    found = parameters(call.element, "target", "default-operation", "test-option", "error-option", "config", "url")
    datastore(required(found, "target"), ("candidate",))
    default_operation = keyword(found, "default-operation", DEFAULT_OPERATIONS, "merge")
    error_option = cast(ErrorOption, keyword(found, "error-option", ERROR_OPTIONS, "stop-on-error"))
    test_option = keyword(found, "test-option", TEST_OPTIONS, "set")
    if "url" in found:
        raise RpcError("operation-not-supported", "the capability :url is not there", error_type="protocol")
    if "config" not in found:
        raise missing_element("config")
    async with call.writing() as datastores:
        datastores.check_access("candidate", call.client.session_id)
        tree = datastores.candidate_for_edit()
        editor = Editor(tree, call.server.committer.take_in, datastores.running)
        try:
            editor.apply(found["config"], default_operation, error_option)
            if test_option != "set":
                await call.server.committer.check(tree)
        except BaseException:
            # What stop-on-error and continue-on-error did before the error stays; a failed test leaves nothing.
            if test_option != "set":
                editor.rollback()
            raise
        else:
            if test_option == "test-only":
                editor.rollback()
        finally:
            datastores.note(editor.delta)
            editor.keep()
    return OK
