"""Outlines of configuration and their differences."""

from __future__ import annotations

from lxml import etree

from wsg.cli_tree import difference, indent, outline

OLD = """<data><gateway xmlns="urn:g">
  <context><name>ran</name>
    <wsg-service><name>north</name><bind><address>192.0.2.1</address></bind></wsg-service>
    <interface><name>a b</name><loopback>true</loopback></interface>
    <psk>$8$abcdefghijklmnop</psk><natt/>
  </context><!-- a comment -->
</gateway></data>"""
NEW = OLD.replace("192.0.2.1", "192.0.2.9").replace("<natt/>", "<dns>x</dns>").replace("abcdefgh", "zbcdefgh")


def test_outline() -> None:
    assert indent(outline(etree.fromstring(OLD))) == (
        "context ran\n"
        "  wsg-service north\n"
        "    bind\n"
        "      address 192.0.2.1\n"
        '  interface "a b"\n'
        "    loopback true\n"
        "  psk $8$abcdefgh… (sealed)\n"
        "  natt"
    )


def test_difference_names_each_change_below_its_ancestors() -> None:
    assert difference(outline(etree.fromstring(OLD)), outline(etree.fromstring(NEW))) == [
        "  context ran",
        "    wsg-service north",
        "      bind",
        "-       address 192.0.2.1",
        "+       address 192.0.2.9",
        "-   psk $8$abcdefgh… (sealed)",
        "-   natt",
        "+   psk $8$zbcdefgh… (sealed)",
        "+   dns x",
    ]


def test_an_added_entry_is_added_whole() -> None:
    pool = "<pool><name>{}</name><size>1</size></pool>"
    one = f"<data><g xmlns='u'>{pool.format('a')}</g></data>"
    two = f"<data><g xmlns='u'>{pool.format('a')}{pool.format('b')}</g></data>"
    assert difference(outline(etree.fromstring(one)), outline(etree.fromstring(two))) == ["+ pool b", "+   size 1"]


def test_nothing_changes_and_order_does_not_count() -> None:
    one = outline(etree.fromstring("<data><g xmlns='u'><a>1</a><b>2</b></g></data>"))
    two = outline(etree.fromstring("<data><g xmlns='u'><b>2</b><a>1</a></g></data>"))
    assert difference(one, one) == difference(one, two) == []


def test_control_characters_are_escaped() -> None:
    assert indent(outline(etree.fromstring("<data><g xmlns='u'><id>a&#10;b</id></g></data>"))) == 'id "a\\nb"'
