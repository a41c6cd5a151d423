"""What ends a run in which a device can no longer learn, said for people."""

from __future__ import annotations

from cosim.errors import DivergenceError


def uncalibrated(device: int, task: str, when: str, fault: str) -> DivergenceError:
    """Says that a device cannot be calibrated."""
    return DivergenceError(
        f"training: device {device} ({task}) cannot be calibrated {when}: {fault}; choose another "
        "base_model or base_model.dtype, or training.divergence: quarantine to go on without that "
        "device's updates"
    )


def diverged(device: int, task: str, round_: int, fault: str | None) -> DivergenceError:
    """Says that a device's training came to no finite number."""
    return DivergenceError(
        f"training: device {device} ({task}) diverged in round {round_}: {fault}; try a smaller "
        "training.learning_rate, or training.divergence: quarantine to go on without such updates"
    )
