"""Subtree and XPath filters (RFC 6241 sections 6 and 8.9)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from netconf.errors import RpcError
from netconf.yang import select
from netconf.yang.tree import Tree

DATA = (
    '<top xmlns="urn:t"><a>5</a><e><k>x</k><j>1</j><v>one</v></e><e><k>x</k><j>2</j><v>two</v></e>'
    "<e><k>y</k><j>1</j><v>three</v></e><sl>q</sl><sl>r</sl><np><z>deep</z></np></top>"
    '<server xmlns="urn:t"><name>s1</name><port>1</port></server>'
    '<server xmlns="urn:t"><name>s2</name><port>2</port></server><st xmlns="urn:t"><z>state</z></st>'
)
Parse = Callable[[str], Tree]


def subtree(parse: Parse, inside: str) -> str:
    element = etree.fromstring(f'<filter xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{inside}</filter>')
    return select.by_subtree(parse(DATA), element).print("xml")


@pytest.mark.parametrize(
    ("inside", "wanted"),
    [
        ("", ""),
        ('<st xmlns="urn:t"/>', '<st xmlns="urn:t"><z>state</z></st>'),
        ('<st xmlns=""/>', '<st xmlns="urn:t"><z>state</z></st>'),
        ('<st xmlns="urn:none"/>', ""),
        ('<top xmlns="urn:t"><a/><nope/></top>', '<top xmlns="urn:t"><a>5</a></top>'),
        ('<top xmlns="urn:t"><a>6</a></top>', ""),
        ('<top xmlns="urn:t"><nope/></top>', ""),
        (
            '<top xmlns="urn:t"><e><k>y</k></e></top>',
            '<top xmlns="urn:t"><e><k>y</k><j>1</j><v>three</v></e></top>',
        ),
        (
            '<top xmlns="urn:t"><e><k>x</k><j>2</j><v/></e></top>',
            '<top xmlns="urn:t"><e><k>x</k><j>2</j><v>two</v></e></top>',
        ),
        (
            '<top xmlns="urn:t"><e><v>two</v><k/></e></top>',
            '<top xmlns="urn:t"><e><k>x</k><j>2</j><v>two</v></e></top>',
        ),
        ('<top xmlns="urn:t"><e><k>z</k><j>2</j></e></top>', ""),
        ('<top xmlns="urn:t"><e><k>x</k><j>many</j></e></top>', ""),
        ('<top xmlns="urn:t"><np><z/></np><sl>r</sl></top>', '<top xmlns="urn:t"><sl>r</sl><np><z>deep</z></np></top>'),
        (
            '<server xmlns="urn:t"><name>s2</name><port/></server>',
            '<server xmlns="urn:t"><name>s2</name><port>2</port></server>',
        ),
        (
            '<top xmlns="urn:t"><e><k>y</k><j>1</j></e></top><top xmlns="urn:t"><a/></top>'
            '<top xmlns="urn:t"><e><k>y</k><v/></e></top>',
            '<top xmlns="urn:t"><a>5</a><e><k>y</k><j>1</j><v>three</v></e></top>',
        ),
    ],
)
def test_subtree(parse: Parse, inside: str, wanted: str) -> None:
    got = subtree(parse, inside)
    assert sorted(got) == sorted(wanted), got
    assert len(got) == len(wanted)


def test_a_selected_container_is_whole(parse: Parse) -> None:
    assert subtree(parse, '<top xmlns="urn:t"/>').startswith('<top xmlns="urn:t"><a>5</a><e><k>x</k>')


@pytest.mark.parametrize(
    ("xpath", "wanted"),
    [
        ("/t:top/t:a", '<top xmlns="urn:t"><a>5</a></top>'),
        ("/t:top/t:e[t:k='y']/t:v", '<top xmlns="urn:t"><e><k>y</k><j>1</j><v>three</v></e></top>'),
        ("//t:z", '<top xmlns="urn:t"><np><z>deep</z></np></top><st xmlns="urn:t"><z>state</z></st>'),
        ("/t:top/t:e[t:v='no such: value']", ""),
        ("/t:top/t:np | /t:top/t:np/t:z", '<top xmlns="urn:t"><np><z>deep</z></np></top>'),
    ],
)
def test_xpath(parse: Parse, xpath: str, wanted: str) -> None:
    assert select.by_xpath(parse(DATA), xpath, {"t": "urn:t"}).print("xml") == wanted


@pytest.mark.parametrize(
    ("xpath", "tag"),
    [
        ("", "bad-attribute"),
        ("/x:top", "invalid-value"),
        ("/t:top[", "invalid-value"),
        ("count(/t:top)", "invalid-value"),
        ("/t:top" + " " * select.MAX_XPATH, "too-big"),
    ],
)
def test_xpath_that_is_none(parse: Parse, xpath: str, tag: str) -> None:
    with pytest.raises(RpcError) as caught:
        select.by_xpath(parse(DATA), xpath, {"t": "urn:t"})
    assert caught.value.tag == tag


@pytest.mark.parametrize(
    ("xpath", "ok"),
    [
        ("//t:z | //t:a", True),
        ("//t:z | //t:a | //t:v", False),
        ("/t:top[t:e[t:v]]", True),
        ("/t:top[t:e[t:v[..]]]", False),
        ("/t:top[.//t:v]", False),
        ("/t:top[ //t:v]", False),
        ("//*[//*[//*[//*]]]", False),
        ("//*[descendant::*]", False),
        ("/t:top/t:e[following-sibling :: *]", False),
        ("/t:top/t:e[/t:top/t:a = t:k]", True),
        ("/t:top/t:e[t:v[/t:top/t:a]]", False),
        ("/t:top/t:e[t:k='//[[[[ /descendant::']", True),
        ("/t:top/t:e[t:k='y'][t:v][t:j]", True),
    ],
)
def test_xpath_that_costs_too_much(parse: Parse, xpath: str, ok: bool) -> None:
    """The agent is one thread: a filter must not take longer than the tree is large, times a few."""
    if ok:
        select.by_xpath(parse(DATA), xpath, {"t": "urn:t"})
        return
    with pytest.raises(RpcError) as caught:
        select.by_xpath(parse(DATA), xpath, {"t": "urn:t"})
    assert caught.value.tag == "resource-denied"


def test_the_longest_xpath_is_taken(parse: Parse) -> None:
    xpath = "/t:top/t:a".ljust(select.MAX_XPATH)
    assert select.by_xpath(parse(DATA), xpath, {"t": "urn:t"}).print("xml") == '<top xmlns="urn:t"><a>5</a></top>'
