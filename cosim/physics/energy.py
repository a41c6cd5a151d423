"""Energy drawn from the battery; radiated and consumed power are two numbers."""

import numpy as np
from numpy.typing import ArrayLike

from cosim.physics.checks import FloatArray, fraction, non_negative


def transmit_energy_j(
    duration_s: ArrayLike, radiated_w: ArrayLike, pa_efficiency: ArrayLike, circuit_w: ArrayLike
) -> FloatArray:
    """Energy E_tx = t·(p/η_PA + P_circuit) in J that the sender draws.

    The amplifier turns only the part η_PA into radiation; the circuit draws its power as long as
    it sends. Cui, Goldsmith and Bahai, IEEE Trans. Wireless Commun. 4(5), 2005. `duration_s` t in
    s, `radiated_w` p (all receivers together) and `circuit_w` in W, `pa_efficiency` η_PA in
    (0, 1]; broadcast. ValueError for negatives or an efficiency out of range.
    """
    drawn = non_negative(radiated_w, "radiated_w") / fraction(pa_efficiency, "pa_efficiency")
    return non_negative(duration_s, "duration_s") * (drawn + non_negative(circuit_w, "circuit_w"))


def receive_energy_j(duration_s: ArrayLike, receive_w: ArrayLike) -> FloatArray:
    """Energy E_rx = t·P_rx in J that the receiver draws.

    `duration_s` in s and `receive_w` in W broadcast. ValueError if negative.
    """
    return non_negative(duration_s, "duration_s") * non_negative(receive_w, "receive_w")


def compute_energy_j(duration_s: ArrayLike, compute_w: ArrayLike) -> FloatArray:
    """Energy E = t·P in J of a computation, from a device profile's power.

    `duration_s` in s and `compute_w` in W broadcast. ValueError if negative.
    """
    return non_negative(duration_s, "duration_s") * non_negative(compute_w, "compute_w")


def switching_energy_j(kappa: ArrayLike, frequency_hz: ArrayLike, cycles: ArrayLike) -> FloatArray:
    """Energy E = κ·f²·cycles in J of a CMOS processor (dynamic power κ·f³ over cycles/f).

    Burd and Brodersen, J. VLSI Signal Process. 13, 1996. `kappa` the effective capacitance in
    J·s² (farad), `frequency_hz` f in Hz, `cycles`; broadcast. ValueError if negative.
    """
    frequency = non_negative(frequency_hz, "frequency_hz")
    return non_negative(kappa, "kappa") * np.square(frequency) * non_negative(cycles, "cycles")


def idle_energy_j(duration_s: ArrayLike, idle_w: ArrayLike) -> FloatArray:
    """Energy E = t·P_idle in J of a device that waits.

    `duration_s` in s and `idle_w` in W broadcast. ValueError if negative.
    """
    return non_negative(duration_s, "duration_s") * non_negative(idle_w, "idle_w")
