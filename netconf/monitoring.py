"""The state data of ietf-netconf-monitoring (RFC 6022): capabilities, datastores, schemas, sessions, statistics."""

from __future__ import annotations

from xml.sax.saxutils import escape

from netconf.datastores import NAMES
from netconf.server import Server
from netconf.xmlio import MONITORING, printable
from netconf.yang.tree import Tree


def state(server: Server) -> Tree:
    """The netconf-state subtree now."""
    parts = (_capabilities(server), _datastores(server), _schemas(server), _sessions(server), _statistics(server))
    return server.context.parse(
        f'<netconf-state xmlns="{MONITORING}">{"".join(parts)}</netconf-state>', "xml", state=True
    )


def _leaf(name: str, value: object) -> str:
    return f"<{name}>{escape(printable(str(value)))}</{name}>"


def _capabilities(server: Server) -> str:
    listed = "".join(_leaf("capability", uri) for uri in server.capabilities)
    return f"<capabilities>{listed}</capabilities>"


def _datastores(server: Server) -> str:
    out = []
    for name in NAMES:
        lock = server.datastores.locks.get(name)
        held = ""
        if lock is not None:
            inside = _leaf("locked-by-session", lock.session_id) + _leaf("locked-time", lock.time)
            held = f"<locks><global-lock>{inside}</global-lock></locks>"
        out.append(f"<datastore>{_leaf('name', name)}{held}</datastore>")
    return f"<datastores>{''.join(out)}</datastores>"


def _schemas(server: Server) -> str:
    out = []
    for module in server.context.modules:
        keys = _leaf("identifier", module.name) + _leaf("version", module.revision) + _leaf("format", "yang")
        out.append(f"<schema>{keys}{_leaf('namespace', module.namespace)}{_leaf('location', 'NETCONF')}</schema>")
    return f"<schemas>{''.join(out)}</schemas>"


def _sessions(server: Server) -> str:
    out = []
    for client in server.clients.values():
        counters = (
            _leaf("in-rpcs", client.in_rpcs)
            + _leaf("in-bad-rpcs", client.in_bad_rpcs)
            + _leaf("out-rpc-errors", client.out_rpc_errors)
            + _leaf("out-notifications", 0)
        )
        out.append(
            f"<session>{_leaf('session-id', client.session_id)}<transport>netconf-ssh</transport>"
            f"{_leaf('username', client.user)}{_leaf('source-host', client.host)}"
            f"{_leaf('login-time', client.login_time)}{counters}</session>"
        )
    return f"<sessions>{''.join(out)}</sessions>"


def _statistics(server: Server) -> str:
    stats = server.stats
    leaves = (
        ("netconf-start-time", server.started),
        ("in-bad-hellos", stats.in_bad_hellos),
        ("in-sessions", stats.sessions_opened),
        ("dropped-sessions", stats.sessions_dropped),
        ("in-rpcs", stats.in_rpcs),
        ("in-bad-rpcs", stats.in_bad_rpcs),
        ("out-rpc-errors", stats.out_rpc_errors),
        ("out-notifications", 0),
    )
    return f"<statistics>{''.join(_leaf(name, value) for name, value in leaves)}</statistics>"
