"""What a check has found.

A check that waits is healthy: something has to come first (a login, the next trading day), and the
services wait for it. So is one whose value cannot be known. Only one that failed has to be mended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "waits", "unknown", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found; `action` says what to do about it."""

    check: str
    state: State
    reason: str
    action: str = ""

    @property
    def line(self) -> str:
        """Check, value, and what to do."""
        return f"{self.check}: {self.reason}" + (f" ({self.action})" if self.action else "")


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing has failed."""
    return all(one.state != "failed" for one in findings)


def failed_or_ok(check: str, reason: str, action: str, *, is_bad: bool) -> Finding:
    """Return a failure with what to do, or that it is well."""
    return Finding(check, "failed", reason, action) if is_bad else Finding(check, "ok", reason)
