"""<get-schema> (RFC 6022 section 3.1)."""

from __future__ import annotations

from xml.sax.saxutils import escape

from netconf.errors import RpcError
from netconf.rpc.base import Call, parameters, required, text
from netconf.xmlio import MONITORING


async def run(call: Call) -> str:
    """The text of a module, in YANG."""
    found = parameters(call.element, "identifier", "version", "format", namespace=MONITORING)
    name = text(required(found, "identifier"))
    version = text(found["version"]) if "version" in found else None
    form = text(found["format"]).rpartition(":")[2] if "format" in found else "yang"
    modules = [m for m in call.server.context.modules if m.name == name and version in (None, "", m.revision)]
    if not modules or form != "yang":
        what = f"{name}@{version}" if version else name
        raise RpcError("invalid-value", f"there is no schema {what} in the format {form}")
    if len(modules) > 1:
        raise RpcError("operation-failed", f"there are several schemas {name}", app_tag="data-not-unique")
    return f'<data xmlns="{MONITORING}">{escape(modules[0].text)}</data>'
