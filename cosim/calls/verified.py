"""What a verification found."""

from __future__ import annotations

from cosim.verification.finding import Check


class Verified(tuple[Check, ...]):
    """A verification is its checks, in the order in which they were made."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; a check that could not be made is not wrong."""
        return not any(check.findings for check in self)

    def __repr__(self) -> str:
        failures = [check.name for check in self if check.findings]
        wrong = f"{len(failures)} failed: {', '.join(failures)}" if failures else "nothing wrong"
        made = sum(check.skipped is None for check in self)
        return f"Verified({made} of {len(self)} checks made, {wrong})"

    def __str__(self) -> str:
        """All checks, as `cosim verify` tells them."""
        return "\n".join(line for check in self for line in check.lines())
