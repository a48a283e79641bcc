"""Our own listeners may overlap on a port, nobody else's may."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from nf.io.listening import beside


@pytest.fixture
def ours() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def wildcard() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def test_a_wider_address_is_opened_before_the_narrow_one_is_closed(ours: socket.socket) -> None:
    port = ours.getsockname()[1]
    with wildcard() as new:
        with beside(new, port, [ours]):
            new.bind(("0.0.0.0", port))
            new.listen()
        ours.close()
        socket.create_connection(("127.0.0.1", port)).close()
        new.accept()[0].close()


def test_a_port_of_another_program_stays_in_use(ours: socket.socket) -> None:
    port = ours.getsockname()[1]
    with (
        socket.create_server(("127.0.0.1", 0)) as mine,
        wildcard() as new,
        beside(new, port, [mine]),
        pytest.raises(OSError, match="in use"),
    ):
        new.bind(("0.0.0.0", port))


def test_nobody_gets_in_afterwards(ours: socket.socket) -> None:
    port = ours.getsockname()[1]
    with wildcard() as new, wildcard() as stranger:
        with beside(new, port, [ours]):
            new.bind(("0.0.0.0", port))
            new.listen()
        with pytest.raises(OSError, match="in use"), beside(stranger, port, []):
            stranger.bind(("127.0.0.2", port))


def test_a_closed_listener_is_no_obstacle(ours: socket.socket) -> None:
    port = ours.getsockname()[1]
    ours.close()
    with wildcard() as new, beside(new, port, [ours]):
        new.bind(("127.0.0.1", port))
