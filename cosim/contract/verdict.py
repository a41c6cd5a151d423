"""What a check says of a method."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """A verdict is the end of one check.

    name: of the check.
    sentence: what was seen, or what is wrong and where to look.
    holds: whether the contract does.
    """

    name: str
    sentence: str
    holds: bool = True

    def __str__(self) -> str:
        return f"{self.name:10} {'ok' if self.holds else 'WRONG'}: {self.sentence}"


class Broken(Exception):  # noqa: N818 it is a finding, and no error of cosim's
    """A check is broken where it does not hold; its text is the sentence."""
