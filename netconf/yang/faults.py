"""libyang's errors as rpc-errors: tag and app-tag of RFC 7950 section 15, a path, and a message for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from netconf.errors import RpcError
from netconf.yang import paths, wording
from netconf.yang.clib import StoredError
from netconf.yang.schema import SchemaNode

_UNKNOWN = re.compile(r'^(?:Node|Term node|Inner node|List node) "(?P<name>[^"]*)" not found')
_NO_MODULE = re.compile(r'^No module with namespace "(?P<namespace>[^"]*)"')
_NO_KEY = re.compile(r'^List instance is missing its key "(?P<name>[^"]*)"')
_MANDATORY = re.compile(r'^Mandatory (?P<kind>node|choice) "(?P<name>[^"]*)"')
_DUPLICATE = re.compile(r'^Duplicate instance of "(?P<name>[^"]*)"')
_INVALID = re.compile(r"^(Invalid (?!leafref|instance-identifier)|Unsatisfied|Value |Unexpected |Missing )")

TAG_BY_APP_TAG = {
    "data-not-unique": "operation-failed",
    "too-many-elements": "operation-failed",
    "too-few-elements": "operation-failed",
    "must-violation": "operation-failed",
    "instance-required": "data-missing",
    "missing-choice": "data-missing",
}


def to_rpc_error(
    stored: StoredError,
    roots: Sequence[SchemaNode],
    namespace_of: Callable[[str], str | None],
    *,
    parsing: bool,
    path: str | None = None,
) -> RpcError:
    """One stored error.

    parsing: it comes from reading values, so that what has no better tag is invalid-value; from validating, it is
    operation-failed (a must with an app-tag of its own cannot be told in any other way). path: libyang path to
    report in place of the stored one.
    """
    where = stored.path if path is None else path
    schema = paths.schema_at(where, roots) if where else None
    location = paths.error_path(where, namespace_of)
    message = stored.message
    tag, app_tag, info = _classify(stored, parsing)
    if schema is not None and schema.secret and tag == "invalid-value":
        message = "the value does not fit the type of this secret"
    elif schema is not None and not schema.secret:
        message = wording.reworded(message, schema)
    return RpcError(tag, message, app_tag=app_tag, path=location, info=info)


def _classify(stored: StoredError, parsing: bool) -> tuple[str, str | None, tuple[tuple[str, str], ...]]:
    message, app_tag = stored.message, stored.app_tag
    if match := _NO_MODULE.match(message):
        return "unknown-namespace", app_tag, (("bad-namespace", match["namespace"]),)
    if match := _UNKNOWN.match(message):
        return "unknown-element", app_tag, (("bad-element", match["name"]),)
    if match := _NO_KEY.match(message):
        return "missing-element", app_tag, (("bad-element", match["name"]),)
    if match := _MANDATORY.match(message):
        return "data-missing", app_tag or ("missing-choice" if match["kind"] == "choice" else None), ()
    if match := _DUPLICATE.match(message):
        return "bad-element", app_tag, (("bad-element", match["name"]),)
    if message.startswith("Data for both cases"):
        return "bad-element", app_tag, ()
    if message.startswith(("When condition", "Unexpected data state node")):
        return "unknown-element", app_tag, ()
    if app_tag in TAG_BY_APP_TAG:
        return TAG_BY_APP_TAG[app_tag], app_tag, ()
    if parsing or _INVALID.match(message):
        return "invalid-value", app_tag, ()
    return "operation-failed", app_tag or "must-violation", ()
