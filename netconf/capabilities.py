"""What the hello announces (RFC 6241 section 8.1, RFC 8525, RFC 6022)."""

from __future__ import annotations

import hashlib

from netconf.rpc.defaults import CAPABILITY as WITH_DEFAULTS
from netconf.session import BASE_1_0, BASE_1_1
from netconf.yang.context import STANDARD_FEATURES, YangContext

_CAPABILITY = "urn:ietf:params:netconf:capability:"
_LIBRARY = "ietf-yang-library"


def content_id(context: YangContext) -> str:
    """A value that changes with the set of modules, as RFC 8525 wants it."""
    digest = hashlib.sha256()
    for module in context.modules:
        digest.update(f"{module.name}@{module.revision} {module.implemented}\n".encode())
        digest.update(module.text.encode())
    return digest.hexdigest()[:16]


def announce(context: YangContext, content: str) -> tuple[str, ...]:
    """All capability URIs. Modules of YANG 1 are listed; those of YANG 1.1 are in the YANG library (RFC 7950 section
    5.6.4)."""
    revision = next((m.revision for m in context.modules if m.name == _LIBRARY), "")
    listed = [
        f"{m.namespace}?module={m.name}"
        + (f"&revision={m.revision}" if m.revision else "")
        + (f"&features={','.join(STANDARD_FEATURES[m.name])}" if m.name in STANDARD_FEATURES else "")
        for m in context.modules
        if m.implemented and m.yang_version == "1"
    ]
    return (
        BASE_1_0,
        BASE_1_1,
        f"{_CAPABILITY}candidate:1.0",
        f"{_CAPABILITY}confirmed-commit:1.1",
        f"{_CAPABILITY}validate:1.1",
        f"{_CAPABILITY}rollback-on-error:1.0",
        f"{_CAPABILITY}startup:1.0",
        f"{_CAPABILITY}xpath:1.0",
        f"{_CAPABILITY}yang-library:1.1?revision={revision}&content-id={content}",
        WITH_DEFAULTS,
        *listed,
    )
