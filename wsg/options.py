"""wsgd's command line: where it keeps things and how it starts. Everything else is configuration (architecture
section 8)."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from nf.config.snapshot import Endpoint

PACKAGED_YANG = Path(__file__).resolve().parent.parent / "yang"
MAX_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. workers 0 is what the configuration says; user is (uid, gid), or None to stay who we are."""

    state_dir: Path
    run_dir: Path
    factory_default: Path
    variables: dict[str, str]
    master_key_file: Path | None
    netconf_listen: tuple[Endpoint, ...]
    metrics_listen: tuple[Endpoint, ...]
    workers: int
    threads: int
    log_level: str
    log_format: str
    user: tuple[int, int] | None
    yang_dir: Path
    steering: bool
    offload: bool
    backend: str


def cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))


def endpoint(text: str) -> Endpoint:
    """ADDR:PORT, with [..] around an IPv6 address; a usage error when it is neither."""
    address, _, port = text.rpartition(":")
    if not address or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not ADDR:PORT")
    return Endpoint(address.removeprefix("[").removesuffix("]"), int(port))


def variable(text: str) -> tuple[str, str]:
    """NAME=VALUE; a usage error without a name or an equals sign."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def user(text: str) -> tuple[int, int]:
    """A user name, or UID or UID:GID in digits; a usage error for a user that does not exist."""
    uid, _, gid = text.partition(":")
    if uid.isdigit() and (not gid or gid.isdigit()):
        return int(uid), int(gid or uid)
    try:
        entry = pwd.getpwnam(text)
    except KeyError:
        raise click.BadParameter(f"there is no user {text!r}") from None
    return entry.pw_uid, entry.pw_gid


def parse(arguments: dict[str, Any]) -> Options:
    """The options from click's parameters."""
    return Options(
        state_dir=arguments["state_dir"],
        run_dir=arguments["run_dir"],
        factory_default=arguments["factory_default"] or arguments["yang_dir"] / "factory-default.json",
        variables=dict(arguments["factory_var"]),
        master_key_file=arguments["master_key_file"],
        netconf_listen=tuple(arguments["netconf_listen"]),
        metrics_listen=tuple(arguments["metrics_listen"]),
        workers=arguments["workers"],
        threads=arguments["threads"],
        log_level=arguments["log_level"],
        log_format=arguments["log_format"],
        user=arguments["user"],
        yang_dir=arguments["yang_dir"],
        steering=arguments["steering"],
        offload=arguments["offload"],
        backend=arguments["backend"],
    )
