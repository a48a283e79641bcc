"""What libyang says about values, rewritten for people: the leaf, the value, and what is allowed or missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from netconf.errors import RpcErrors
from netconf.mapping.modules import MODULES
from netconf.yang.context import YangContext
from netconf.yang.edit import Editor

ROOT = Path(__file__).parents[3]
TYPES = "urn:openwsg:yang:openwsg-types"


@pytest.fixture(scope="module")
def gateway() -> YangContext:
    return YangContext(ROOT / "yang", MODULES)  # with no feature, so that weak algorithms are switched off


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<a>x</a>", 'a cannot be "x"; allowed: a whole number from 1 to 10'),
        ("<e><k>q</k><j>300</j></e>", 'j cannot be "300"; allowed: a whole number from 0 to 255'),
        ("<m>toolong</m>", "m cannot have 7 characters; allowed: text of 1 to 5 characters"),
        ('<i xmlns:q="urn:t">q:two</i>', 'i cannot be "t:two"; allowed: t:one'),
        ("<u>192.0.2.300</u>", 'u cannot be "192.0.2.300", which its type does not allow'),
        ('<a>"</a>', 'a cannot be """; allowed: a whole number from 1 to 10'),
    ],
)
def test_values_that_a_type_refuses(bench: Any, body: str, message: str) -> None:
    (error,) = bench.refused(body)
    assert (error.tag, error.message) == ("invalid-value", message)


def test_a_reference_to_nothing(bench: Any) -> None:
    bench.edit("<r>zz</r>")
    (error,) = bench.invalid()
    assert error.message == 'r refers to e with k "zz", which does not exist'


@pytest.mark.parametrize(("length", "shown"), [(80, f'"{"9" * 80}"'), (81, f'"{"9" * 80}…" (81 characters)')])
def test_long_values_are_cut(bench: Any, length: int, shown: str) -> None:
    (error,) = bench.refused(f"<a>{'9' * length}</a>")
    assert error.message.startswith(f"a cannot be {shown};")


def messages(context: YangContext, inside: str) -> list[str]:
    xml = f'<config><gateway xmlns="urn:openwsg:yang:openwsg-gateway">{inside}</gateway></config>'
    tree = context.empty()
    editor = Editor(tree, lambda path, given, existing: given)
    with pytest.raises(RpcErrors) as caught:  # noqa: PT012 - the edit or the validation refuses
        try:
            editor.apply(etree.fromstring(xml))
        finally:
            editor.keep()
        tree.validate()
    return [error.message for error in caught.value.errors]


def system(inside: str) -> str:
    return f'<system xmlns="urn:openwsg:yang:openwsg-system">{inside}</system>'


def in_context(inside: str) -> str:
    return f'<context xmlns="urn:openwsg:yang:openwsg-context"><name>ran</name>{inside}</context>'


def proposal(leaf: str) -> str:
    ts = 'xmlns="urn:openwsg:yang:openwsg-transform-set"'
    return in_context(
        f'<ikev2-ikesa {ts}><transform-set xmlns:q="{TYPES}"><name>a</name>{leaf}</transform-set></ikev2-ikesa>'
    )


def test_addresses_names_and_choices_of_the_gateway(gateway: YangContext) -> None:
    (hostname,) = messages(gateway, system("<hostname>a b</hostname>"))
    assert hostname.startswith('hostname cannot be "a b"; allowed: a domain name')
    server = messages(gateway, in_context("<name-server>192.0.2.300</name-server>"))
    assert server == ['name-server cannot be "192.0.2.300"; allowed: an IPv4 or IPv6 address']
    service = '<wsg-service xmlns="urn:openwsg:yang:openwsg-wsg-service"><name>w</name>{}</wsg-service>'
    mode = messages(gateway, in_context(service.format("<deployment-mode>x</deployment-mode>")))
    assert mode == ['deployment-mode cannot be "x"; allowed: remote-access or site-to-site']
    bind = "<bind><address>192.0.2.1</address><crypto-template>nosuch</crypto-template></bind>"
    missing = messages(gateway, in_context(service.format(bind)))
    assert 'crypto-template refers to crypto/template "nosuch", which does not exist' in missing


def test_identities_unknown_and_switched_off(gateway: YangContext) -> None:
    (unknown,) = messages(gateway, proposal("<prf>md5</prf>"))
    assert unknown.startswith('prf cannot be "md5"; allowed: openwsg-types:sha2-256, ')
    assert "prefix declared for its namespace" in unknown
    (off,) = messages(gateway, proposal("<prf>q:sha1</prf>"))
    assert off.startswith('prf cannot be "openwsg-types:sha1", which is switched off in this gateway; allowed: ')
    assert "sha1" not in off.partition("allowed")[2]


def test_a_password_in_clear_is_not_echoed(gateway: YangContext) -> None:
    """AUT-08: it is not marked secret, as its hash is none."""
    for password in ("hunter2", "hunter2" * 60):
        (message,) = messages(gateway, system(f"<user><name>a</name><password>{password}</password></user>"))
        assert "hunter2" not in message
