"""Negotiated numbers to implementations, once per suite.

And why a configured suite cannot be (ALG-05, ALG-41, ALG-42).
"""

from __future__ import annotations

from functools import lru_cache

from nf.crypto.errors import UnsupportedTransform
from nf.crypto.suite import ChildSuite, IkeSuite
from nf.policy.suites import EspAlgorithms, IkeAlgorithms


@lru_cache(maxsize=256)
def ike_suite(algorithms: IkeAlgorithms) -> IkeSuite:
    """The implementations of an IKE SA's algorithms. Raises UnsupportedTransform."""
    return IkeSuite.of(*algorithms)


@lru_cache(maxsize=256)
def child_suite(algorithms: EspAlgorithms) -> ChildSuite:
    """The implementations of a Child SA's algorithms. Raises UnsupportedTransform."""
    return ChildSuite.of(*algorithms)


def refuse_ike(algorithms: IkeAlgorithms) -> str | None:
    """Why an IKE transform set cannot be used, or None."""
    try:
        ike_suite(algorithms)
    except UnsupportedTransform as error:
        return f"unsupported algorithm: {error}"
    return None


def refuse_esp(algorithms: EspAlgorithms) -> str | None:
    """Why an IPsec transform set cannot be used, or None."""
    try:
        child_suite(algorithms)
    except UnsupportedTransform as error:
        return f"unsupported algorithm: {error}"
    return None
