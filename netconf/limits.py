"""Bounds on what clients may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Defaults of the agent's bounds.

    message_octets: one NETCONF message. depth: nested elements of one message. sessions: NETCONF sessions at a time.
    connections: SSH connections at a time, logged in or not. login_s: until the user is authenticated. hello_s:
    until the client's hello. idle_s: without a request and without a lock, None is for ever. pipelined: requests
    read ahead of the replies.
    """

    message_octets: int = 16 * 1024 * 1024
    depth: int = 64
    sessions: int = 64
    connections: int = 128
    login_s: float = 30.0
    login_attempts: int = 6
    hello_s: float = 30.0
    idle_s: float | None = None
    pipelined: int = 32
