"""When a request is sent again, and when its peer is given up (RFC 7296 section 2.4; TPL-45, TPL-46)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetransmitPlan:
    """first_s: wait before the first repetition; factor: growth of the wait; maximum: repetitions; longest_s.

    Cap of one wait.
    """

    first_s: float
    maximum: int
    factor: float = 2.0
    longest_s: float = 60.0

    def wait(self, repetitions: int) -> float | None:
        """Seconds to wait after `repetitions` repetitions (0: after the first sending); None.

        The peer has had its last wait.
        """
        if repetitions > self.maximum:
            return None
        return min(self.first_s * self.factor**repetitions, self.longest_s)
