"""Moving a TCP listener to another address of the same port.

Configuration opens what is new before it closes what is old. The kernel refuses [::]:830 while 127.0.0.1:830 is open,
even when both are ours: an operator could never widen or narrow where a service listens.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def beside(new: socket.socket, port: int, ours: Iterable[socket.socket]) -> Iterator[None]:
    """Let `new` be bound to `port` inside the block although some of our own listening sockets have it.

    SO_REUSEPORT is on only within the block, and only where one of ours has the port: a port of another program is in
    use as ever. Raises OSError as setsockopt does.
    """
    same = [sock for sock in ours if sock.fileno() >= 0 and sock.getsockname()[1] == port]
    with ExitStack() as stack:
        for sock in (new, *same) if same else ():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            stack.callback(_exclusive, sock)
        yield


def _exclusive(sock: socket.socket) -> None:
    if sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
