"""<with-defaults> in its four modes (RFC 6243), on every operation that takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

pytestmark = pytest.mark.peer

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
WD = "urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults"
TAG = "urn:ietf:params:xml:ns:netconf:default:1.0"
CTX = "urn:openwsg:yang:openwsg-context"
MODES = ("report-all", "report-all-tagged", "trim", "explicit")


def interfaces(inside: str) -> str:
    return (
        f'<config xmlns="{BASE}" xmlns:nc="{BASE}" xmlns:wd="{TAG}"><gateway xmlns="urn:openwsg:yang:openwsg-gateway">'
        f'<context xmlns="{CTX}"><name>a</name>{inside}</context></gateway></config>'
    )


# Of three interfaces the first has nothing set, the second the default, the third another value.
THREE = interfaces(
    "<interface><name>none</name></interface>"
    "<interface><name>same</name><loopback>false</loopback></interface>"
    "<interface><name>other</name><loopback>true</loopback></interface>"
)
SEEN: dict[str, dict[str, str | None]] = {
    "report-all": {"none": "false", "same": "false", "other": "true"},
    "report-all-tagged": {"none": "false tagged", "same": "false", "other": "true"},
    "trim": {"none": None, "same": None, "other": "true"},
    "explicit": {"none": None, "same": "false", "other": "true"},
}


async def ok(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    reply = await asyncio.to_thread(lambda: function(*arguments, **named))
    assert reply.ok, [(e.tag, e.path, e.message) for e in reply.errors]
    return reply


def loopbacks(xml: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for interface in etree.fromstring(xml.encode()).iter(f"{{{CTX}}}interface"):
        leaf = interface.find(f"{{{CTX}}}loopback")
        tag = leaf is not None and leaf.get(f"{{{TAG}}}default") == "true"
        found[interface.findtext(f"{{{CTX}}}name") or ""] = (
            None if leaf is None else (leaf.text or "") + " tagged" * tag
        )
    return found


async def test_the_capability_is_announced(rig: Any) -> None:
    m = await rig.connect()
    (uri,) = [uri for uri in m.server_capabilities if ":with-defaults:" in uri]
    assert uri == (
        "urn:ietf:params:netconf:capability:with-defaults:1.0"
        "?basic-mode=explicit&also-supported=report-all,report-all-tagged,trim"
    )
    assert f"{WD}?module=ietf-netconf-with-defaults&revision=2011-06-01" in list(m.server_capabilities)


@pytest.mark.parametrize("mode", MODES)
async def test_get_and_get_config(rig: Any, mode: str) -> None:
    """Of running, of a candidate not validated yet, and of startup, which a restart reads without its defaults."""
    m = await rig.connect()
    await ok(m.edit_config, THREE, target="candidate")
    assert loopbacks((await ok(m.get_config, "candidate", with_defaults=mode)).xml) == SEEN[mode]
    await ok(m.commit)
    await ok(m.copy_config, "running", "startup")
    stores = rig.agent._datastores
    stores.startup = stores.startup.context.parse(stores.startup.print("json"), "json")
    for source in ("running", "candidate", "startup"):
        assert loopbacks((await ok(m.get_config, source, with_defaults=mode)).xml) == SEEN[mode], source
    assert loopbacks((await ok(m.get, with_defaults=mode)).xml) == SEEN[mode]
    one = ("subtree", f'<gateway xmlns="urn:openwsg:yang:openwsg-gateway"><context xmlns="{CTX}"><interface>'
           "<name>none</name></interface></context></gateway>")  # fmt: skip
    for reply in (await ok(m.get_config, "running", one, mode), await ok(m.get, one, mode)):
        assert loopbacks(reply.xml) == {"none": SEEN[mode]["none"]}


async def test_without_the_parameter_it_is_explicit(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.edit_config, THREE, target="candidate")
    await ok(m.commit)
    for reply in (await ok(m.get_config, "running"), await ok(m.get)):
        assert loopbacks(reply.xml) == SEEN["explicit"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("target", ["candidate", "startup"])
async def test_copy_config(rig: Any, mode: str, target: str) -> None:
    """What is copied is set in the target as the mode says; a tagged default is no set value."""
    m = await rig.connect()
    await ok(m.edit_config, THREE, target="candidate")
    await ok(m.commit)
    raw = await rig.raw()
    await raw.hello()
    reply = await raw.ask(
        f"<copy-config><target><{target}/></target><source><running/></source>"
        f'<with-defaults xmlns="{WD}">{mode}</with-defaults></copy-config>'
    )
    assert reply.find(f"{{{BASE}}}ok") is not None, etree.tostring(reply)
    wanted = SEEN["explicit" if mode == "report-all-tagged" else mode]
    assert loopbacks((await ok(m.get_config, target)).xml) == wanted
    if target == "candidate":
        await ok(m.commit)
        assert loopbacks((await ok(m.get_config, "running")).xml) == wanted


async def test_an_unknown_mode_and_the_wrong_namespace(rig: Any) -> None:
    raw = await rig.raw()
    await raw.hello()
    for parameter, tag in (
        (f'<with-defaults xmlns="{WD}">most</with-defaults>', "invalid-value"),
        (f'<with-defaults xmlns="{WD}"/>', "invalid-value"),
        ("<with-defaults>trim</with-defaults>", "unknown-element"),
    ):
        for operation in (
            f"<get>{parameter}</get>",
            f"<get-config><source><running/></source>{parameter}</get-config>",
            f"<copy-config><target><startup/></target><source><running/></source>{parameter}</copy-config>",
        ):
            reply = await raw.ask(operation)
            assert reply.findtext(f".//{{{BASE}}}error-tag") == tag, etree.tostring(reply)


async def test_a_tagged_reply_can_be_sent_back(rig: Any) -> None:
    """RFC 6243 section 4.5.2, by edit-config and by copy-config: nothing becomes set that was not."""
    m = await rig.connect()
    await ok(m.edit_config, THREE, target="candidate")
    await ok(m.commit)
    commits = len(rig.gateway.changes)
    reply = await ok(m.get_config, "running", with_defaults="report-all-tagged")
    root = etree.fromstring(reply.xml.encode())
    inside = "".join(etree.tostring(child, with_tail=False).decode() for child in root[0])
    assert f"{TAG}" in inside
    await ok(m.edit_config, f'<config xmlns="{BASE}">{inside}</config>', target="candidate")
    await ok(m.commit)
    raw = await rig.raw()
    await raw.hello()
    copied = await raw.ask(
        f"<copy-config><target><candidate/></target><source><config>{inside}</config></source></copy-config>"
    )
    assert copied.find(f"{{{BASE}}}ok") is not None, etree.tostring(copied)
    await ok(m.commit)
    assert len(rig.gateway.changes) == commits
    assert loopbacks((await ok(m.get_config, "running")).xml) == SEEN["explicit"]


@pytest.mark.parametrize(
    ("operation", "name", "value", "tag", "tagged", "error"),
    [
        ("merge", "other", "false", "true", None, None),
        ("replace", "other", "false", "1", None, None),
        ("merge", "same", "false", "true", None, None),
        ("merge", "same", "true", "false", "true", None),
        ("create", "none", "false", "true", None, None),
        ("create", "same", "false", "true", "false", "data-exists"),
        ("merge", "other", "true", "true", "true", "invalid-value"),
        ("delete", "other", "false", "true", "true", "invalid-value"),
        ("remove", "other", "false", "true", "true", "invalid-value"),
        ("merge", "other", "false", "perhaps", "true", "bad-attribute"),
    ],
)
async def test_the_attribute_in_an_edit(
    rig: Any, operation: str, name: str, value: str, tag: str, tagged: str | None, error: str | None
) -> None:
    m = await rig.connect()
    await ok(m.edit_config, THREE, target="candidate")
    await ok(m.commit)
    edit = interfaces(
        f'<interface><name>{name}</name><loopback nc:operation="{operation}" wd:default="{tag}">{value}</loopback>'
        "</interface>"
    )
    reply = await asyncio.to_thread(lambda: m.edit_config(edit, target="candidate"))
    assert [e.tag for e in reply.errors] == ([error] if error else [])
    assert loopbacks((await ok(m.get_config, "candidate")).xml)[name] == tagged
