"""The edit engine: every operation on every kind of node, its errors with path and tag, and its undo (RFC 6241
section 7.2)."""

from __future__ import annotations

from typing import Any

import pytest

XMLNS_T = 'xmlns:t="urn:t"'


def test_merge_creates_and_changes(bench: Any) -> None:
    assert bench.edit("<a>5</a><p/>") == "<a>5</a><p/>"
    assert bench.delta.changes == [("created", "/t:top")]  # of a new subtree only its top is named
    assert bench.edit("<a>6</a>") == "<a>6</a><p/>"
    assert bench.delta.changes == [("changed", "/t:top/a")]


def test_an_edit_that_says_what_is_there_changes_nothing(bench: Any) -> None:
    body = "<a>5</a><e><k>x</k><j>1</j><v>w</v></e><ll>1</ll><p><q>1</q></p><s>key</s><i>one</i>"
    bench.edit(body)
    bench.edit(body)
    assert not bench.delta


def test_canonical_form_counts_not_spelling(bench: Any) -> None:
    bench.edit("<ll>1</ll><a>5</a>")
    bench.edit("<ll>01</ll><a>+5</a>")
    assert not bench.delta


def test_create_refuses_what_exists(bench: Any) -> None:
    bench.edit("<a>5</a><e><k>x</k><j>1</j><v>w</v></e><ll>1</ll><p/>")
    create = 'nc:operation="create"'
    for body, path in (
        (f"<a {create}>5</a>", "/t:top/t:a"),
        (f"<e {create}><k>x</k><j>1</j></e>", "/t:top/t:e[t:k='x'][t:j='1']"),
        (f"<ll {create}>1</ll>", "/t:top/t:ll[.='1']"),
        (f"<p {create}/>", "/t:top/t:p"),
    ):
        (error,) = bench.refused(body)
        assert (error.tag, error.path.xpath, error.path.namespaces) == ("data-exists", path, (("t", "urn:t"),))
    assert bench.edit(f"<ll {create}>2</ll><np {create}><z>1</z></np>").endswith("<np><z>1</z></np>")


def test_a_default_is_not_there_for_create_and_delete(bench: Any) -> None:
    bench.edit("<m>x</m>")
    bench.tree.validate()  # adds the default of a
    (error,) = bench.refused('<a nc:operation="delete"/>')
    assert error.tag == "data-missing"
    assert bench.edit('<a nc:operation="create">3</a>') == "<a>3</a><m>x</m>"


def test_delete_and_remove(bench: Any) -> None:
    bench.edit("<a>5</a><e><k>x</k><j>1</j><v>w</v></e><ll>1</ll><ll>2</ll><p><q>1</q></p><np><z>1</z></np>")
    for body in (
        '<a nc:operation="OP"/>',
        '<e nc:operation="OP"><k>x</k><j>1</j></e>',
        '<ll nc:operation="OP">1</ll>',
        '<p nc:operation="OP"/>',
        '<np nc:operation="OP"/>',
    ):
        bench.edit(body.replace("OP", "delete"))
        (error,) = bench.refused(body.replace("OP", "delete"))
        assert error.tag == "data-missing"
        assert error.path is not None
        bench.edit(body.replace("OP", "remove"))
        assert not bench.delta
    assert bench.xml == "<ll>2</ll>"


def test_replace_takes_the_rest_away_and_keeps_the_place(bench: Any) -> None:
    bench.edit("<o><k>1</k><v>a</v></o><o><k>2</k><v>b</v></o><np><z>1</z></np><p><q>1</q></p>")
    bench.edit('<o nc:operation="replace"><k>1</k></o><p nc:operation="replace"/>')
    assert bench.xml == "<o><k>1</k></o><o><k>2</k><v>b</v></o><p/><np><z>1</z></np>"


def test_default_operation_replace_is_the_whole_datastore(bench: Any) -> None:
    bench.edit("!<server xmlns='urn:t'><name>x</name></server><top xmlns='urn:t'><a>5</a><s>key</s></top>")
    assert bench.edit("<s>key</s>", "replace") == "<s>sealed:key</s>"
    bench.edit("!", "replace")
    assert not bench.tree


def test_a_replaced_secret_that_is_equal_keeps_its_stored_text(bench: Any) -> None:
    """AUT-08: the stored text is offered although the entry is replaced as a whole."""
    bench.edit("<e><k>x</k><j>1</j><v>w</v><s>key</s></e>")
    bench.edit('<e nc:operation="replace"><k>x</k><j>1</j><v>w</v><s>other</s></e>')
    assert "<s>sealed:key</s>" in bench.xml  # this bench's take_in answers with what it is offered


def test_operation_none_demands_that_data_is_there(bench: Any) -> None:
    bench.edit("<a>5</a><e><k>x</k><j>1</j><v>w</v></e>")
    bench.edit('<e><k>x</k><j>1</j><v nc:operation="merge">z</v></e>', "none")
    assert bench.delta.changes == [("changed", "/t:top/e[k='x'][j='1']/v")]
    for body in ("<e><k>y</k><j>1</j></e>", "<m>x</m>", "<p/>", "<ll>3</ll>"):
        (error,) = bench.refused(body, "none")
        assert error.tag == "data-missing"


def test_another_case_takes_the_place_of_the_first(bench: Any) -> None:
    bench.edit("<x1>1</x1><x2>2</x2>")
    assert bench.edit("<y1>3</y1>") == "<y1>3</y1>"
    assert [what for what, _ in bench.delta.changes] == ["deleted", "deleted", "created"]
    (error,) = bench.refused("<x1>1</x1><y1>2</y1>")
    assert (error.tag, error.info) == ("bad-element", (("bad-element", "y1"),))


@pytest.mark.parametrize(
    ("attributes", "order"),
    [
        ('yang:insert="first"', "312"),
        ('yang:insert="last"', "123"),
        ("""yang:insert="before" yang:key="[t:k='2']\"""", "132"),
        ("""yang:insert="after" yang:key="[k='1']\"""", "132"),
        ("", "123"),
    ],
)
def test_new_entries_go_where_insert_says(bench: Any, attributes: str, order: str) -> None:
    """RFC 7950 section 7.8.6."""
    bench.edit("<o><k>1</k></o><o><k>2</k></o>")
    bench.edit(f"<o {attributes}><k>3</k></o>")
    assert bench.xml == "".join(f"<o><k>{k}</k></o>" for k in order)


def test_entries_move_and_move_back(bench: Any) -> None:
    bench.edit("<ll>1</ll><ll>2</ll><ll>3</ll>")
    before = bench.xml
    for attributes in (
        'yang:insert="last"',
        'yang:insert="after" yang:value="2"',
        'yang:insert="before" yang:value="3"',
    ):
        bench.edit(f"<ll {attributes}>1</ll>", undo=True)
        assert bench.xml == before
    assert bench.edit('<ll yang:insert="last">1</ll>') == "<ll>2</ll><ll>3</ll><ll>1</ll>"
    assert bench.delta.changes == [("moved", "/t:top/ll[.='1']")]
    bench.edit('<ll yang:insert="last">1</ll>')
    assert not bench.delta


@pytest.mark.parametrize(
    ("body", "tag", "app_tag"),
    [
        ("""<o yang:insert="after" yang:key="[k='9']"><k>3</k></o>""", "bad-attribute", "missing-instance"),
        ('<o yang:insert="after"><k>3</k></o>', "missing-attribute", None),
        ('<o yang:insert="somewhere"><k>3</k></o>', "bad-attribute", None),
        ('<a yang:insert="first">3</a>', "unknown-attribute", None),
        ('<sl yang:insert="first">3</sl>', "unknown-attribute", None),
    ],
)
def test_places_that_are_none(bench: Any, body: str, tag: str, app_tag: str | None) -> None:
    """RFC 7950 section 15.7."""
    bench.edit("<o><k>1</k></o>")
    (error,) = bench.refused(body, option="rollback-on-error")
    assert (error.tag, error.app_tag) == (tag, app_tag)
    assert bench.xml == "<o><k>1</k></o>"


@pytest.mark.parametrize(
    ("body", "tag", "path", "info"),
    [
        ("<zz/>", "unknown-element", "/t:top", (("bad-element", "zz"),)),
        (
            '<zz xmlns="urn:none"/>',
            "unknown-namespace",
            "/t:top",
            (("bad-element", "zz"), ("bad-namespace", "urn:none")),
        ),
        ('!<st xmlns="urn:t"><z>1</z></st>', "unknown-element", None, (("bad-element", "st"),)),
        ('!<zz xmlns="urn:t"/>', "unknown-element", None, (("bad-element", "zz"),)),
        ("<e><k>q</k></e>", "missing-element", "/t:top/t:e", (("bad-element", "j"),)),
        ("<e><k>q</k><j>1</j><j>2</j></e>", "bad-element", "/t:top/t:e", (("bad-element", "e"),)),
        ("<e><k>q</k><j>x</j></e>", "invalid-value", "/t:top/t:e/t:j", ()),
        ("<a>99</a>", "invalid-value", "/t:top/t:a", ()),
        ("<i>two</i>", "invalid-value", "/t:top/t:i", ()),
        ('<e><k>q</k><j>1</j><v nc:operation="create"><w/></v></e>', "unknown-element", None, (("bad-element", "w"),)),
        ("<a>1</a><a>2</a>", "bad-element", "/t:top/t:a", (("bad-element", "a"),)),
        ("text", "bad-element", "/t:top", (("bad-element", "top"),)),
        ('<a nc:operation="frob">1</a>', "bad-attribute", None, (("bad-attribute", "operation"), ("bad-element", "a"))),
        ('<a foo="1">1</a>', "unknown-attribute", None, (("bad-attribute", "foo"), ("bad-element", "a"))),
        (
            '<e><k nc:operation="delete">q</k><j>1</j></e>',
            "bad-attribute",
            None,
            (("bad-attribute", "operation"), ("bad-element", "k")),
        ),
    ],
)
def test_what_does_not_fit_the_model(bench: Any, body: str, tag: str, path: str | None, info: Any) -> None:
    (error,) = bench.refused(body, option="rollback-on-error")
    assert (error.tag, error.info) == (tag, info)
    if path is not None:
        assert error.path.xpath == path
    assert not bench.tree


@pytest.mark.parametrize(
    ("first", "second", "tag"),
    [
        ("", "", "bad-element"),
        ("merge", "replace", "bad-element"),
        ("replace", "replace", "bad-element"),
        ("create", "merge", "bad-element"),
        ("delete", "create", "bad-element"),
        ("create", "delete", "bad-element"),
        ("remove", "remove", "bad-element"),
        ("create", "create", "data-exists"),
        ("merge", "create", "data-exists"),
        ("delete", "delete", "data-missing"),
    ],
)
def test_an_entry_given_twice_is_refused(bench: Any, first: str, second: str, tag: str) -> None:
    """RFC 7950 section 7.8: the keys name one entry. The last one given must not win in silence."""
    bench.edit("<e><k>x</k><j>1</j><v>a</v></e>" if first == "delete" else "<a>5</a>")
    before = bench.xml
    one, two = (f'nc:operation="{operation}"' if operation else "" for operation in (first, second))
    (error,) = bench.refused(
        f"<e {one}><k>x</k><j>1</j><v>b</v></e><e {two}><j>01</j><k>x</k><v>c</v></e>", option="rollback-on-error"
    )
    assert error.tag == tag
    assert error.path.xpath in ("/t:top/t:e[t:k='x'][t:j='1']", "/t:top/t:e[t:k='x'][t:j='01']")
    if tag == "bad-element":
        assert error.info == (("bad-element", "e"),)
        assert 'e with k "x" and j "01" is given twice in this edit' in error.message
    assert bench.xml == before


def test_an_entry_given_twice_among_top_lists_and_going_on(bench: Any) -> None:
    server = "<server xmlns='urn:t'><name>{}</name><port>{}</port></server>"
    body = "!" + server.format("x", 1) + server.format("y", 2) + server.format("x", 3) + server.format("z", 4)
    (error,) = bench.refused(body, option="continue-on-error")
    assert (error.tag, error.message) == ("bad-element", 'server "x" is given twice in this edit')
    assert "<port>3</port>" not in bench.xml
    assert "<port>4</port>" in bench.xml


def test_entries_with_equal_keys_of_two_edits_or_two_lists_are_none_given_twice(bench: Any) -> None:
    bench.edit("<o><k>1</k></o><e><k>1</k><j>1</j></e><e><k>1</k><j>2</j></e>")
    bench.edit("<o><k>1</k><v>z</v></o>")
    assert "<o><k>1</k><v>z</v></o>" in bench.xml


def test_the_models_own_message_and_app_tag_come_out(bench: Any) -> None:
    (error,) = bench.refused("<a>11</a>")
    assert (error.message, error.app_tag) == ("a is from 1 to 10", "a-range")


def test_a_secret_is_not_in_the_error_about_it(bench: Any) -> None:
    """AUT-08."""
    (error,) = bench.refused(f"<s>{'hush' * 60}</s>")
    assert error.tag == "invalid-value"
    assert "hush" not in repr(error) + str(error.info)


def test_stop_on_error_keeps_what_came_before(bench: Any) -> None:
    bench.refused("<a>5</a><m>toolong</m><x1>1</x1>", option="stop-on-error")
    assert bench.xml == "<a>5</a>"
    assert [path for _, path in bench.delta.changes] == ["/t:top"]


def test_continue_on_error_reports_all_and_does_the_rest(bench: Any) -> None:
    errors = bench.refused("<a>99</a><m>toolong</m><zz/><x1>1</x1>", option="continue-on-error")
    assert [error.tag for error in errors] == ["invalid-value", "invalid-value", "unknown-element"]
    assert bench.xml == "<x1>1</x1>"


def test_rollback_on_error_leaves_nothing(bench: Any) -> None:
    bench.edit("<a>5</a><o><k>1</k></o><o><k>2</k></o><e><k>x</k><j>1</j><v>w</v></e><x1>1</x1>")
    before = bench.xml
    bench.refused(
        '<a>6</a><o nc:operation="delete"><k>1</k></o><o><k>3</k></o><e nc:operation="replace"><k>x</k><j>1</j></e>'
        "<y1>2</y1><p><q>1</q></p><zz/>",
        option="rollback-on-error",
    )
    assert bench.xml == before
    assert not bench.delta


def test_prefixes_of_values_follow_the_document(bench: Any) -> None:
    """RFC 7950 section 9.10.3; an IPv6 address in the same union is no prefix."""
    bench.edit('<i xmlns:any="urn:t">any:one</i><u xmlns:x="urn:t">x:one</u>')
    assert "t:one</i>" in bench.xml
    bench.edit("<u>fe80::1</u>")
    assert "<u>fe80::1</u>" in bench.xml


def test_validation_names_every_missing_mandatory_leaf(bench: Any) -> None:
    bench.edit("<e><k>a</k><j>1</j></e><e><k>b</k><j>1</j></e>")
    errors = bench.invalid()
    assert [(e.tag, e.path.xpath) for e in errors] == [
        ("data-missing", "/t:top/t:e[t:k='a'][t:j='1']/t:v"),
        ("data-missing", "/t:top/t:e[t:k='b'][t:j='1']/t:v"),
    ]


@pytest.mark.parametrize(
    ("body", "tag", "app_tag", "path"),
    [
        ("<a>2</a><m>x</m>", "operation-failed", "a-small", "/t:top/t:m"),
        ("<r>zz</r>", "data-missing", "instance-required", "/t:top/t:r"),
        ("<w>1</w>", "unknown-element", None, "/t:top/t:w"),
        ("".join(f"<ll>{i}</ll>" for i in range(6)), "operation-failed", "too-many-elements", "/t:top/t:ll[.='5']"),
        (
            "<e><k>a</k><j>1</j><v>1</v></e><e><k>b</k><j>1</j><v>1</v></e>",
            "operation-failed",
            "data-not-unique",
            "/t:top/t:e[t:k='b'][t:j='1']",
        ),
    ],
)
def test_constraints_have_the_tags_of_rfc_7950_section_15(
    bench: Any, body: str, tag: str, app_tag: str | None, path: str
) -> None:
    bench.edit(body)
    (error,) = bench.invalid()
    assert (error.tag, error.app_tag, error.path.xpath) == (tag, app_tag, path)
