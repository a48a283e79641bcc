"""rpc-error as a value (RFC 6241 section 4.3 and appendix A)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ErrorType = Literal["transport", "rpc", "protocol", "application"]


@dataclass(frozen=True, slots=True)
class ErrorPath:
    """An instance path in which every step has its module's name as prefix, and the namespaces of those prefixes."""

    xpath: str
    namespaces: tuple[tuple[str, str], ...] = ()


class RpcError(Exception):
    """One rpc-error.

    tag: of RFC 6241 appendix A. message: a sentence for a person, never with the value of a secret.
    info: children of error-info, as (name, text), in the NETCONF base namespace.
    """

    def __init__(
        self,
        tag: str,
        message: str,
        *,
        error_type: ErrorType = "application",
        app_tag: str | None = None,
        path: ErrorPath | None = None,
        info: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.tag = tag
        self.message = message
        self.error_type: ErrorType = error_type
        self.app_tag = app_tag
        self.path = path
        self.info = info

    def __repr__(self) -> str:
        where = f" at {self.path.xpath}" if self.path else ""
        return f"RpcError({self.tag}{where}: {self.message})"


class RpcErrors(Exception):
    """Several rpc-errors of one reply, in the order they were found; never empty."""

    def __init__(self, errors: list[RpcError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = tuple(errors)


def missing_element(name: str, path: ErrorPath | None = None) -> RpcError:
    """An element of an operation that is not there."""
    return RpcError(
        "missing-element", f"<{name}> is missing", error_type="protocol", path=path, info=(("bad-element", name),)
    )


def unknown_element(name: str, message: str, path: ErrorPath | None = None) -> RpcError:
    """An element that the model or the operation does not know."""
    return RpcError("unknown-element", message, path=path, info=(("bad-element", name),))


def bad_attribute(attribute: str, element: str, message: str, *, app_tag: str | None = None) -> RpcError:
    """An attribute with a value that cannot be."""
    return RpcError(
        "bad-attribute", message, app_tag=app_tag, info=(("bad-attribute", attribute), ("bad-element", element))
    )
