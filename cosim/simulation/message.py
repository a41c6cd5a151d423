"""What one device says to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cosim.trace.schema import TransferKind


@dataclass(frozen=True, slots=True)
class AddressedMessage:
    """An addressed message is content for one receiver, and its size on the air.

    receiver: id of the device that it is addressed to.
    bits: size of the content for this receiver.
    content: what the learner wrote and will read; nobody in between opens it.
    kind: what it carries.
    """

    receiver: int
    bits: int
    content: Any
    kind: TransferKind = TransferKind.UPDATE

    @property
    def ends_turn(self) -> bool:
        """Whether its receiver waits for it before it mixes, as for a beacon."""
        return self.kind in (TransferKind.UPDATE, TransferKind.BEACON)

    @property
    def brief(self) -> bool:
        """Whether it is of so few bits that Lemma 1 would stretch it over Γ."""
        return self.kind in (TransferKind.CONTROL, TransferKind.BEACON)
