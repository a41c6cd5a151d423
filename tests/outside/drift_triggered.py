"""A method of one's own, in one file: a device speaks when it has something new to say.

    method: path:drift_triggered.py

`cosim methods --check path:drift_triggered.py` tries it on a tiny model.
"""

from typing import Literal

from pydantic import Field

from cosim.methods import LORA, Deciding, DeviceState, Sending


class OnRelativeDrift(Sending):
    """A device speaks when B has moved away from what it last said, and keeps silent otherwise.

    It does when ‖B − B̂‖₂ > θ·‖B̂‖₂, B̂ the B of its last message: an event trigger as in SPARQ-SGD
    (Singh et al., arXiv 1910.14280), relative to the size of B. Its first message is always sent.
    """

    name: Literal["on_relative_drift"] = "on_relative_drift"
    threshold: float = Field(0.5, ge=0, le=100, description="θ, a share of ‖B̂‖")

    @property
    def copies(self) -> float:
        """B̂: no more than a device trains."""
        return 1.0

    def speaks(self, own: DeviceState, at: Deciding) -> tuple[DeviceState, bool]:
        """B̂ is what the device remembers; it is stored and resumed like everything in a state."""
        now, last = own.adapter.values, own.memory.get(self.slot)
        if last is not None and (now - last["B"]).norm() <= self.threshold * last["B"].norm():
            return own, False
        return own.remember(self.slot, B=now), True


METHOD = LORA.with_(
    name="drift_triggered",
    reference="Singh et al., SPARQ-SGD, arXiv 1910.14280",
    topology="complete",
    sending=OnRelativeDrift(),
)
