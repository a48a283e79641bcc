"""The command against a scripted NETCONF server: what it sends, what it prints, how it exits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest
from lxml import etree

from wsg import cli

CONFIG = """<data><gateway xmlns="urn:openwsg:yang:openwsg-gateway">
<system xmlns="urn:openwsg:yang:openwsg-system"><hostname>{}</hostname></system></gateway></data>"""

STATE = """<data><gateway xmlns="urn:openwsg:yang:openwsg-gateway">
<security-associations xmlns="urn:openwsg:yang:openwsg-security-association">
<ike-sa><local-spi>01aabbccddeeff00</local-spi><initiator-spi>1122334455667788</initiator-spi>
<responder-spi>01aabbccddeeff00</responder-spi><original-initiator>false</original-initiator><state>established</state>
<context>ran</context><wsg-service>sites</wsg-service><crypto-template>enodeb</crypto-template>
<ipsec-manager>1</ipsec-manager>
<local><address>192.0.2.1</address><port>4500</port><identity>segw.example</identity><behind-nat>false</behind-nat></local>
<remote><address>198.51.100.7</address><port>4500</port><identity>cell-7.example&#x9;!</identity>
<identity-type>fqdn</identity-type><behind-nat>true</behind-nat></remote>
<encryption xmlns:t="urn:openwsg:yang:openwsg-types">t:aes-256-gcm-128</encryption>
<prf>t:sha2-256</prf><group>t:group31</group>
<age>93784.250</age><rekey-in>12.000</rekey-in>
<child-sa><spi-in>3405691582</spi-in><spi-out>16</spi-out><payload>s1</payload><state>installed</state><mode>tunnel</mode>
<encapsulation>udp</encapsulation><encryption>t:aes-256-gcm-128</encryption><group>t:none</group><esn>true</esn>
<local-selector><protocol>0</protocol><start-port>0</start-port><end-port>65535</end-port>
<start-address>10.0.0.0</start-address><end-address>10.0.255.255</end-address></local-selector>
<remote-selector><protocol>17</protocol><start-port>2152</start-port><end-port>2152</end-port>
<start-address>10.7.0.0</start-address><end-address>10.7.0.255</end-address></remote-selector>
<age>5</age><soft-expiry-in>3000</soft-expiry-in><hard-expiry-in>3600</hard-expiry-in>
<statistics><packets-in>1500</packets-in><octets-in>2097152</octets-in><packets-out>7</packets-out><octets-out>700</octets-out>
<replay-drops>2</replay-drops><integrity-failures>3</integrity-failures></statistics></child-sa></ike-sa>
<ike-sa><local-spi>0200000000000001</local-spi><initiator-spi>8877665544332211</initiator-spi>
<responder-spi>0200000000000001</responder-spi><state>half-open</state><wsg-service>clients</wsg-service>
<remote><address>2001:db8::7</address><port>500</port></remote><inner-address>10.99.0.1</inner-address></ike-sa>
</security-associations></gateway></data>"""

CONTEXTS = """<data><gateway xmlns="urn:openwsg:yang:openwsg-gateway"><context xmlns="urn:openwsg:yang:openwsg-context">
<name>ran</name>
<ip xmlns="urn:openwsg:yang:openwsg-pool"><pool><name>clients</name><prefix>10.99.0.0/24</prefix>
<state><size>254</size><used>127</used><free>127</free></state></pool></ip>
<ipv6 xmlns="urn:openwsg:yang:openwsg-pool"><prefix-pool><name>clients6</name><prefix>fd00::/64</prefix>
<state><size>18446744073709551614</size><used>0</used><free>18446744073709551614</free></state></prefix-pool></ipv6>
<wsg-service xmlns="urn:openwsg:yang:openwsg-wsg-service"><name>clients</name>
<deployment-mode>remote-access</deployment-mode>
<bind><address>192.0.2.2</address><crypto-template>client</crypto-template></bind>
<ip><address><pool-name>clients</pool-name></address></ip>
<state><started>true</started><sessions>3</sessions></state></wsg-service>
<wsg-service xmlns="urn:openwsg:yang:openwsg-wsg-service"><name>new</name></wsg-service>
</context></gateway></data>"""


def without_closing(operations: list[str]) -> list[str]:
    return [name for name in operations if name != "close-session"]


# Showing


def test_show_tunnels(server, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    server.replies["get"] = STATE
    assert server.run("show", "tunnels") == 0
    header, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert " ".join(header) == "SERVICE PEER IDENTITY INNER STATE AGE PKTS IN PKTS OUT OCT IN OCT OUT"
    assert rows == [
        [
            *("sites", "198.51.100.7:4500", "cell-7.example\\t!", "10.7.0.0/24", "proto", "17", "port", "2152"),
            *("established", "1d02h", "1.50k", "7", "2.00Mi", "700"),
        ],
        ["clients", "2001:db8::7", "-", "10.99.0.1", "half-open", "-", "0", "0", "0", "0"],
    ]
    assert server.operations[0] == "get"
    assert b"security-associations" in etree.tostring(server.seen[0])


@pytest.mark.parametrize("columns", ["80", "100", "120"])
def test_tables_fit_the_terminal(server, capsys, monkeypatch, columns: str) -> None:
    server.replies["get"] = STATE
    monkeypatch.setenv("COLUMNS", columns)
    assert server.run("show", "tunnels") == 0
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= int(columns)


def test_show_tunnels_as_json(server, capsys) -> None:
    server.replies["get"] = STATE
    assert server.run("show", "tunnels", "--json") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["wsg-service"] == "sites"
    assert first["remote-port"] == 4500
    assert first["age"] == 93784.25
    assert first["child-sas"][0]["spi-in"] == 3405691582
    assert first["child-sas"][0]["octets-in"] == 2097152
    assert first["remote-behind-nat"] is True
    assert second["age"] is None
    assert second["inner-addresses"] == ["10.99.0.1"]


def test_show_sa(server, capsys) -> None:
    server.replies["get"] = STATE
    assert server.run("show", "sa", "0x1AABBCCDDEEFF00") == 0
    text = capsys.readouterr().out
    assert text.startswith("IKE SA 01aabbccddeeff00  established, responder, context ran, service sites\n")
    assert "cell-7.example\\t! (fqdn), behind a NAT" in text
    assert "aes-256-gcm-128, sha2-256, group31" in text
    assert "in 0xcafebabe, out 0x00000010  installed, payload s1" in text
    assert "ESP in UDP, tunnel mode, ESN" in text
    assert "10.7.0.0/24 proto 17 port 2152" in text
    assert "2 replayed, 3 with a wrong ICV" in text
    assert "0200000000000001" not in text


@pytest.mark.parametrize(("spi", "code"), [("99", 1), ("xyz", 2), ("1" * 17, 2)])
def test_show_sa_that_is_not_there(server, capsys, spi: str, code: int) -> None:
    server.replies["get"] = STATE
    assert server.run("show", "sa", spi) == code
    assert capsys.readouterr().err.startswith("wsg: ")


def test_show_pools_and_services(server, capsys) -> None:
    server.replies["get"] = CONTEXTS
    assert server.run("show", "pools") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["ran", "clients", "10.99.0.0/24", "254", "127", "127", "50.0%"],
        ["ran", "clients6", "fd00::/64", "18.4E", "0", "18.4E", "0.0%"],
    ]
    assert server.run("show", "services") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["ran", "clients", "remote-access", "192.0.2.2", "client", "clients", "started", "3"],
        ["ran", "new", "-", "-", "-", "-", "stopped", "0"],
    ]
    assert server.run("show", "pools", "--json") == 0
    assert json.loads(capsys.readouterr().out)[1]["size"] == 18446744073709551614


def test_show_processes(server, capsys) -> None:
    server.replies["get"] = (
        '<data><gateway xmlns="g"><statistics xmlns="s"><process><name>ipsecmgr-0</name><pid>77</pid>'
        "<up-time>61.5</up-time>"
        "<restarts>1</restarts><cpu-time>2.5</cpu-time><resident-memory>41943040</resident-memory></process>"
        "<process><name>datapath</name><pid>0</pid></process></statistics></gateway></data>"
    )
    assert server.run("show", "processes") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["ipsecmgr-0", "up", "77", "1m01s", "1", "2s", "40.0Mi"],
        ["datapath", "down", "-", "-", "0", "-", "0"],
    ]


@pytest.mark.parametrize("what", ["tunnels", "sa", "pools", "services", "processes"])
def test_nothing_to_show(server, capsys, what: str) -> None:
    server.replies["get"] = "<data/>"
    assert server.run("show", what) == 0
    assert capsys.readouterr().out.startswith("no ")
    assert server.run("show", what, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_show_config(server, capsys) -> None:
    server.replies["get-config"] = CONFIG.format("a.example")
    assert server.run("show", "config") == 0
    assert capsys.readouterr().out == "system\n  hostname a.example\n"
    assert server.run("show", "config", "--xml", "--datastore", "candidate") == 0
    assert etree.fromstring(capsys.readouterr().out).tag == "{urn:openwsg:yang:openwsg-gateway}gateway"
    assert server.seen[2].find("{*}source")[0].tag.endswith("candidate")
    assert server.run("show", "config", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "openwsg-gateway:gateway": {"openwsg-system:system": {"hostname": "a.example"}}
    }


# Changing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new.json"
    path.write_text('{"openwsg-gateway:gateway": {"openwsg-system:system": {"hostname": "b.example"}}}')
    return path


def test_commit(server, capsys, file: Path) -> None:
    assert server.run("commit", str(file)) == 0
    assert capsys.readouterr().out == "committed\n"
    assert without_closing(server.operations) == ["lock", "edit-config", "validate", "commit", "unlock"]
    edit = server.seen[1]
    assert edit.findtext("{*}default-operation") == "merge"
    assert edit.findtext(".//{urn:openwsg:yang:openwsg-system}hostname") == "b.example"


def test_commit_replacing_without_validation(server, file: Path) -> None:
    assert server.run("commit", str(file), "--replace", "--no-validate") == 0
    assert without_closing(server.operations) == ["lock", "edit-config", "commit", "unlock"]
    assert server.seen[1].findtext("{*}default-operation") == "replace"


@pytest.mark.parametrize("failing", ["edit-config", "validate", "commit"])
def test_a_refused_commit_leaves_the_candidate_discarded(
    server, capsys, file: Path, failing: str, error: Callable[..., str]
) -> None:
    server.replies[failing] = error(
        "operation-failed", "No such\n template.", "/g:gateway/m-x:context[m-x:name='a:b']/m-x:x", "must-violation"
    ) + error("data-missing", "Second.", "/g:gateway/y")
    assert server.run("commit", str(file)) == 1
    assert capsys.readouterr().err == (
        f"wsg: {failing} was refused:\n"
        "  /gateway/context[name='a:b']/x: No such template. (operation-failed, must-violation)\n"
        "  /gateway/y: Second. (data-missing)\n"
    )
    assert without_closing(server.operations)[-3:] == [failing, "discard-changes", "unlock"]


def test_a_locked_candidate_is_left_alone(server, capsys, file: Path, error: Callable[..., str]) -> None:
    server.replies["lock"] = error("lock-denied", "Held by session 4.")
    assert server.run("commit", str(file)) == 1
    assert "Held by session 4. (lock-denied)" in capsys.readouterr().err
    assert without_closing(server.operations) == ["lock"]


def test_a_warning_is_no_refusal(server, file: Path, error: Callable[..., str]) -> None:
    server.replies["commit"] = error("operation-failed", "x").replace(
        ">error</error-severity", ">warning</error-severity"
    )
    assert server.run("commit", str(file)) == 0


def test_validate_changes_nothing(server, capsys, file: Path) -> None:
    assert server.run("validate", str(file)) == 0
    assert capsys.readouterr().out == "valid\n"
    assert without_closing(server.operations) == ["lock", "edit-config", "validate", "discard-changes", "unlock"]


def test_diff_of_the_candidate_and_of_a_file(server, capsys, file: Path) -> None:
    def get_config(operation: etree._Element) -> str:
        running = operation.find("{*}source")[0].tag.endswith("running")
        return CONFIG.format("a.example" if running else "b.example")

    server.replies["get-config"] = get_config
    expected = "  system\n-   hostname a.example\n+   hostname b.example\n"
    assert server.run("diff") == 0
    assert capsys.readouterr().out == expected
    server.seen.clear()
    assert server.run("diff", str(file)) == 0
    assert capsys.readouterr().out == expected
    assert without_closing(server.operations) == [
        *("get-config", "lock", "edit-config", "get-config", "discard-changes", "unlock")
    ]
    server.replies["get-config"] = CONFIG.format("a.example")
    assert server.run("diff") == 0
    assert capsys.readouterr().out == "no difference\n"


@pytest.mark.parametrize(
    ("arguments", "leaf", "text"),
    [
        (("--all",), "all", None),
        (("--peer", "192.0.2.7"), "peer", "192.0.2.7"),
        (("--id", "a<b>&c"), "remote-identity", "a<b>&c"),
        (("--spi", "0x1AABBCCDDEEFF00"), "local-spi", "01aabbccddeeff00"),
        (("--child-spi", "0xcafebabe"), "child-sa-spi", "3405691582"),
        (("--service", "sites"), "wsg-service", "sites"),
        (("--context", "ran"), "context", "ran"),
        (("--template", "t"), "crypto-template", "t"),
    ],
)
def test_clear(server, capsys, arguments: tuple[str, ...], leaf: str, text: str | None) -> None:
    server.replies["clear-security-association"] = (
        "<deleted xmlns='urn:openwsg:yang:openwsg-security-association'>4</deleted>"
    )
    assert server.run("clear", "sa", "--yes", *arguments) == 0
    assert capsys.readouterr().out == "4 deleted\n"
    (operation,) = [found for found in server.seen if not found.tag.endswith("close-session")]
    assert operation.tag == "{urn:openwsg:yang:openwsg-security-association}clear-security-association"
    (condition,) = operation
    assert (etree.QName(condition).localname, condition.text) == (leaf, text)


def test_clear_asks_and_does_nothing_without_an_answer(server, capsys) -> None:
    assert server.run("clear", "sa", "--all") == 2
    assert "give --yes" in capsys.readouterr().err
    assert server.seen == []


@pytest.mark.parametrize("answer", ["y", "n"])
def test_clear_asks_at_a_terminal(server, monkeypatch, answer: str) -> None:
    monkeypatch.setattr("wsg.cli_change._at_terminal", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: answer)
    assert server.run("clear", "sa", "--all") == (0 if answer == "y" else 1)
    assert bool(server.seen) == (answer == "y")


# Usage


@pytest.mark.parametrize(
    "arguments",
    [
        ("clear", "sa", "--yes"),
        ("clear", "sa", "--yes", "--all", "--peer", "192.0.2.1"),
        ("clear", "sa", "--yes", "--child-spi", "0"),
        ("clear", "sa", "--yes", "--child-spi", "0x100000000"),
        ("clear", "sa", "--yes", "--child-spi", "x"),
        ("diff", "--replace"),
        ("commit", "no-such-file"),
        ("commit",),
        ("show", "nothing"),
        ("--port", "0", "show", "tunnels"),
        ("--port", "65536", "show", "tunnels"),
    ],
)
def test_wrong_usage_is_2_and_reaches_nobody(server, capsys, arguments: tuple[str, ...]) -> None:
    assert server.run(*arguments) == 2
    assert capsys.readouterr().err
    assert server.seen == []


def test_a_broken_file_is_2(server, capsys, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    assert server.run("commit", str(path)) == 2
    assert "broken.json: not JSON" in capsys.readouterr().err


def test_keywords_in_any_case(server, capsys) -> None:
    """CTX-24"""
    server.replies["get"] = "<data/>"
    assert server.run("SHOW", "Tunnels", "--JSON") == 0
    server.replies["get-config"] = CONFIG.format("a")
    assert server.run("Show", "CONFIG", "--DataStore", "CANDIDATE") == 0


# Connecting


def test_nobody_listens(capsys, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert cli.run(["--port", str(port), "--state-dir", str(tmp_path), "show", "tunnels"]) == 3
    message = capsys.readouterr().err
    assert f"cannot connect to 127.0.0.1 port {port}: Connection refused" in message
    assert "Does wsgd run" in message


def test_no_ssh_behind_the_port(capsys, tmp_path: Path, monkeypatch) -> None:
    """Something listens and says nothing: the wait is bounded."""
    import dataclasses
    import socket

    original = cli.Target
    monkeypatch.setattr(cli, "Target", lambda **values: dataclasses.replace(original(**values), timeout_s=0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert cli.run(["--port", str(port), "--state-dir", str(tmp_path), "show", "tunnels"]) == 3
    assert "did not answer within 0.3 s" in capsys.readouterr().err


def test_an_unknown_key_is_refused(server, capsys, tmp_path: Path) -> None:
    path = tmp_path / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(path))
    assert server.run("--identity", str(path), "show", "tunnels") == 3
    message = capsys.readouterr().err
    assert "does not accept user admin with the key" in message
    assert "--identity" in message


def test_a_password_from_a_file(server, capsys, tmp_path: Path) -> None:
    server.replies["get"] = "<data/>"
    path = tmp_path / "password"
    path.write_text("right\nsecond line\n")
    assert server.run("--user", "operator", "--password-file", str(path), "show", "tunnels") == 0
    path.write_text("wrong\n")
    assert server.run("--user", "operator", "--password-file", str(path), "show", "tunnels") == 3
    path.write_text("\n")
    assert server.run("--user", "operator", "--password-file", str(path), "show", "tunnels") == 2


def test_another_host_key_is_not_trusted(server, capsys, tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    other.write_public_key(str(tmp_path / "ssh_host_ed25519_key.pub"))
    assert server.run("show", "tunnels") == 3
    assert "the host key" in capsys.readouterr().err
    assert server.seen == []
    server.replies["get"] = "<data/>"
    assert server.run("--insecure", "show", "tunnels") == 0


def test_a_known_hosts_file(server, tmp_path: Path) -> None:
    server.replies["get"] = "<data/>"
    key = (tmp_path / "ssh_host_ed25519_key.pub").read_text()
    path = tmp_path / "known"
    path.write_text(f"[127.0.0.1]:{server.port} {key}")
    assert server.run("--known-hosts", str(path), "show", "tunnels") == 0
    path.write_text(f"[127.0.0.2]:{server.port} {key}")
    assert server.run("--known-hosts", str(path), "show", "tunnels") == 3


def test_the_environment_gives_options(server, monkeypatch, tmp_path: Path) -> None:
    server.replies["get"] = "<data/>"
    monkeypatch.setenv("WSG_PORT", str(server.port))
    monkeypatch.setenv("WSG_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("WSG_HOST", "127.0.0.1")
    assert cli.run(["show", "tunnels"]) == 0


def test_base_1_0_framing(server, capsys) -> None:
    server.capabilities = ("urn:ietf:params:netconf:base:1.0",)
    server.replies["get"] = STATE
    assert server.run("show", "sa", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


@pytest.mark.parametrize(
    ("hello", "message"),
    [
        (b"<rubbish/>]]>]]>", "does not begin with a NETCONF hello"),
        (b"<a><b></a>]]>]]>", "cannot be read"),
        (b"<hello xmlns='urn:ietf:params:xml:ns:netconf:base:1.0'/>]]>]]>", "no version of NETCONF"),
    ],
)
def test_no_netconf_behind_the_subsystem(server, capsys, hello: bytes, message: str) -> None:
    server.hello = hello
    assert server.run("show", "tunnels") == 3
    assert message in capsys.readouterr().err


def test_an_answer_to_something_else(server, capsys) -> None:
    server.replies["get"] = "<data/></rpc-reply><x>"
    assert server.run("show", "tunnels") == 3
    assert "cannot be read" in capsys.readouterr().err
