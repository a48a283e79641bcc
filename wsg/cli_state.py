"""The gateway's state as `wsg` shows it: subtree filters, and the replies as frozen values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from wsg.cli_text import network
from wsg.netconf_client import quote

NS = "urn:openwsg:yang:openwsg-"

SAS_FILTER = (
    f'<gateway xmlns="{NS}gateway"><security-associations xmlns="{NS}security-association">'
    "{}</security-associations></gateway>"
)


def sa_filter(local_spi: str | None = None) -> str:
    """All SAs, or the one with our IKE SPI."""
    return SAS_FILTER.format(f"<ike-sa><local-spi>{quote(local_spi)}</local-spi></ike-sa>" if local_spi else "")


def module_filter(*names: str) -> str:
    """Parts of each context: `pool` is its pools, `wsg-service` its services."""
    parts = {
        "pool": f'<ip xmlns="{NS}pool"><pool/></ip><ipv6 xmlns="{NS}pool"><prefix-pool/></ipv6>',
        "wsg-service": f'<wsg-service xmlns="{NS}wsg-service"/>',
    }
    inner = "".join(parts[name] for name in names)
    return f'<gateway xmlns="{NS}gateway"><context xmlns="{NS}context"><name/>{inner}</context></gateway>'


def processes_filter() -> str:
    """The processes, without their counters."""
    leaves = "".join(f"<{name}/>" for name in ("name", "pid", "up-time", "restarts", "cpu-time", "resident-memory"))
    statistics = f'<statistics xmlns="{NS}statistics"><process>{leaves}</process></statistics>'
    return f'<gateway xmlns="{NS}gateway">{statistics}</gateway>'


def _text(element: etree._Element, path: str) -> str:
    found = element.find("/".join(f"{{*}}{step}" for step in path.split("/")))
    return "" if found is None else (found.text or "").strip()


def _int(element: etree._Element, path: str) -> int:
    text = _text(element, path)
    return int(text) if text.lstrip("-").isdigit() else 0


def _port(element: etree._Element, path: str) -> int | None:
    text = _text(element, path)
    return int(text) if text.isdigit() else None


def _seconds(element: etree._Element, path: str) -> float | None:
    text = _text(element, path)
    try:
        return float(text)
    except ValueError:
        return None


def _identity(element: etree._Element, path: str) -> str:
    """An identityref without its prefix."""
    return _text(element, path).rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Selector:
    """A traffic selector."""

    protocol: int
    start_port: int
    end_port: int
    start_address: str
    end_address: str

    @property
    def text(self) -> str:
        """The network, with protocol and ports where they are restricted."""
        text = network(self.start_address, self.end_address)
        if self.protocol:
            text += f" proto {self.protocol}"
        if (self.start_port, self.end_port) != (0, 65535):
            text += f" port {self.start_port}" + (f"-{self.end_port}" if self.end_port != self.start_port else "")
        return text


@dataclass(frozen=True, slots=True)
class ChildSa:
    """A Child SA, names as in openwsg-security-association."""

    spi_in: int
    spi_out: int
    payload: str
    state: str
    mode: str
    encapsulation: str
    encryption: str
    hmac: str
    group: str
    esn: bool
    local_selectors: tuple[Selector, ...]
    remote_selectors: tuple[Selector, ...]
    age: float | None
    soft_expiry_in: float | None
    hard_expiry_in: float | None
    packets_in: int
    octets_in: int
    packets_out: int
    octets_out: int
    replay_drops: int
    integrity_failures: int


@dataclass(frozen=True, slots=True)
class IkeSa:
    """An IKE SA with its Child SAs."""

    local_spi: str
    initiator_spi: str
    responder_spi: str
    original_initiator: bool
    state: str
    context: str
    wsg_service: str
    crypto_template: str
    ipsec_manager: int
    local_address: str
    local_port: int | None
    local_identity: str
    local_behind_nat: bool
    remote_address: str
    remote_port: int | None
    remote_identity: str
    remote_identity_type: str
    remote_behind_nat: bool
    encryption: str
    prf: str
    hmac: str
    group: str
    age: float | None
    rekey_in: float | None
    inner_addresses: tuple[str, ...]
    child_sas: tuple[ChildSa, ...]

    @property
    def networks(self) -> tuple[str, ...]:
        """What is behind the peer: inner addresses, or else the remote selectors, each once."""
        if self.inner_addresses:
            return self.inner_addresses
        return tuple(dict.fromkeys(selector.text for child in self.child_sas for selector in child.remote_selectors))


@dataclass(frozen=True, slots=True)
class Pool:
    """An address pool of a context."""

    context: str
    name: str
    prefix: str
    size: int
    used: int
    free: int


@dataclass(frozen=True, slots=True)
class Service:
    """A WSG service of a context."""

    context: str
    name: str
    deployment_mode: str
    started: bool
    bind_address: str
    crypto_template: str
    pools: tuple[str, ...]
    sessions: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the gateway; pid 0 is one that is down."""

    name: str
    pid: int
    up_time: float | None
    restarts: int
    cpu_time: float | None
    resident_memory: int


def _selectors(child: etree._Element, name: str) -> tuple[Selector, ...]:
    return tuple(
        Selector(
            _int(found, "protocol"),
            _int(found, "start-port"),
            _port(found, "end-port") or 0 if _text(found, "end-port") else 65535,
            _text(found, "start-address"),
            _text(found, "end-address"),
        )
        for found in child.iterfind(f"{{*}}{name}")
    )


def _child_sa(child: etree._Element) -> ChildSa:
    return ChildSa(
        spi_in=_int(child, "spi-in"),
        spi_out=_int(child, "spi-out"),
        payload=_text(child, "payload"),
        state=_text(child, "state"),
        mode=_text(child, "mode"),
        encapsulation=_text(child, "encapsulation"),
        encryption=_identity(child, "encryption"),
        hmac=_identity(child, "hmac"),
        group=_identity(child, "group"),
        esn=_text(child, "esn") == "true",
        local_selectors=_selectors(child, "local-selector"),
        remote_selectors=_selectors(child, "remote-selector"),
        age=_seconds(child, "age"),
        soft_expiry_in=_seconds(child, "soft-expiry-in"),
        hard_expiry_in=_seconds(child, "hard-expiry-in"),
        packets_in=_int(child, "statistics/packets-in"),
        octets_in=_int(child, "statistics/octets-in"),
        packets_out=_int(child, "statistics/packets-out"),
        octets_out=_int(child, "statistics/octets-out"),
        replay_drops=_int(child, "statistics/replay-drops"),
        integrity_failures=_int(child, "statistics/integrity-failures"),
    )


def ike_sas(data: etree._Element) -> Iterator[IkeSa]:
    """The IKE SAs of a reply, in its order."""
    for sa in data.iterfind(".//{*}security-associations/{*}ike-sa"):
        yield IkeSa(
            local_spi=_text(sa, "local-spi"),
            initiator_spi=_text(sa, "initiator-spi"),
            responder_spi=_text(sa, "responder-spi"),
            original_initiator=_text(sa, "original-initiator") == "true",
            state=_text(sa, "state"),
            context=_text(sa, "context"),
            wsg_service=_text(sa, "wsg-service"),
            crypto_template=_text(sa, "crypto-template"),
            ipsec_manager=_int(sa, "ipsec-manager"),
            local_address=_text(sa, "local/address"),
            local_port=_port(sa, "local/port"),
            local_identity=_text(sa, "local/identity"),
            local_behind_nat=_text(sa, "local/behind-nat") == "true",
            remote_address=_text(sa, "remote/address"),
            remote_port=_port(sa, "remote/port"),
            remote_identity=_text(sa, "remote/identity"),
            remote_identity_type=_text(sa, "remote/identity-type"),
            remote_behind_nat=_text(sa, "remote/behind-nat") == "true",
            encryption=_identity(sa, "encryption"),
            prf=_identity(sa, "prf"),
            hmac=_identity(sa, "hmac"),
            group=_identity(sa, "group"),
            age=_seconds(sa, "age"),
            rekey_in=_seconds(sa, "rekey-in"),
            inner_addresses=tuple((found.text or "").strip() for found in sa.iterfind("{*}inner-address")),
            child_sas=tuple(_child_sa(child) for child in sa.iterfind("{*}child-sa")),
        )


def pools(data: etree._Element) -> Iterator[Pool]:
    """The pools of a reply, context by context."""
    for context in data.iterfind(".//{*}context"):
        for path in ("{*}ip/{*}pool", "{*}ipv6/{*}prefix-pool"):
            for pool in context.iterfind(path):
                yield Pool(
                    context=_text(context, "name"),
                    name=_text(pool, "name"),
                    prefix=_text(pool, "prefix"),
                    size=_int(pool, "state/size"),
                    used=_int(pool, "state/used"),
                    free=_int(pool, "state/free"),
                )


def services(data: etree._Element) -> Iterator[Service]:
    """The WSG services of a reply, context by context."""
    for context in data.iterfind(".//{*}context"):
        for service in context.iterfind("{*}wsg-service"):
            named = (_text(service, "ip/address/pool-name"), _text(service, "ipv6/address/prefix-pool"))
            yield Service(
                context=_text(context, "name"),
                name=_text(service, "name"),
                deployment_mode=_text(service, "deployment-mode"),
                started=_text(service, "state/started") == "true",
                bind_address=_text(service, "bind/address"),
                crypto_template=_text(service, "bind/crypto-template"),
                pools=tuple(name for name in named if name),
                sessions=_int(service, "state/sessions"),
            )


def processes(data: etree._Element) -> Iterator[Process]:
    """The processes of a reply."""
    for process in data.iterfind(".//{*}statistics/{*}process"):
        yield Process(
            name=_text(process, "name"),
            pid=_int(process, "pid"),
            up_time=_seconds(process, "up-time"),
            restarts=_int(process, "restarts"),
            cpu_time=_seconds(process, "cpu-time"),
            resident_memory=_int(process, "resident-memory"),
        )


def as_json(value: IkeSa | Pool | Service | Process) -> dict[str, object]:
    """A value for `--json`: numbers as numbers, absent ones as null, names with hyphens as in YANG."""

    def convert(item: object) -> object:
        if isinstance(item, dict):
            return {str(name).replace("_", "-"): convert(inner) for name, inner in item.items()}
        if isinstance(item, list | tuple):
            return [convert(inner) for inner in item]
        return item

    converted = convert(dataclasses.asdict(value))
    if not isinstance(converted, dict):
        raise TypeError("a dataclass becomes a dictionary")
    return converted
