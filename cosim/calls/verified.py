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
        return "\n".join(line for check in self for line in check.lines())
