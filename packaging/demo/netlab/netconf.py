"""The NETCONF client of the laboratory: ncclient, whose socket is opened inside the gateway's namespace."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import ncclient.transport.session
from ncclient import manager
from ncclient.operations import RPCError

from .net import Namespace

# ncclient looks ten times a second whether there is a request to send: the tests would mostly wait for that.
ncclient.transport.session.TICK = 0.005
logging.getLogger("ncclient").setLevel(logging.CRITICAL)
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
GATEWAY = "urn:openwsg:yang:openwsg-gateway"

__all__ = ["BASE", "GATEWAY", "NetconfClient", "RPCError"]


class NetconfClient:
    """A NETCONF session as the administrator, with the key that wsgd made at its first start."""

    def __init__(
        self,
        namespace: Namespace,
        key: Path,
        address: str = "127.0.0.1",
        port: int = 830,
        user: str = "admin",
        timeout_s: float = 60.0,
    ) -> None:
        def connect() -> Any:
            sock = socket.create_connection((address, port), timeout=5)
            return manager.connect_ssh(
                host=address,
                sock=sock,
                username=user,
                key_filename=str(key),
                hostkey_verify=False,
                allow_agent=False,
                look_for_keys=False,
                timeout=timeout_s,
            )

        self.session: Any = namespace.call(connect)

    def __enter__(self) -> NetconfClient:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.session.connected:
            self.session.close_session()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the candidate; what is not committed at the end is discarded."""
        with self.session.locked("candidate"):
            try:
                yield
            except BaseException:
                self.session.discard_changes()
                raise

    def push(self, config: str, operation: str = "merge") -> None:
        """lock, edit-config, validate, commit, unlock. config: XML, its root either `config` or the data itself.

        Raises RPCError as the server said it, with the candidate put back.
        """
        with self.locked():
            self.session.edit_config(
                target="candidate",
                config=as_config(config),
                default_operation=operation,
                error_option="rollback-on-error",
            )
            self.session.validate("candidate")
            self.session.commit()

    def get(self, subtree: str | None = None) -> Any:
        """The reply of get as an lxml element; subtree: filter content."""
        return self.session.get(filter=("subtree", subtree) if subtree else None).data_ele

    def get_config(self, subtree: str | None = None, source: str = "running") -> Any:
        """The reply of get-config as an lxml element."""
        return self.session.get_config(source, filter=("subtree", subtree) if subtree else None).data_ele


def as_config(xml: str) -> str:
    """Instance data wrapped in a `config` element, unless it is already."""
    body = xml.split("?>", 1)[1] if xml.lstrip().startswith("<?xml") else xml
    first = body.lstrip()
    while first.startswith("<!--"):
        first = first.split("-->", 1)[1].lstrip()
    if first.startswith(("<config", "<nc:config")):
        return first
    return f'<config xmlns="{BASE}">{body}</config>'
