"""Energy drawn from the battery; radiated and consumed power are two numbers."""

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
    supply_w = non_negative(radiated_w, "radiated_w") / fraction(pa_efficiency, "pa_efficiency")
    return non_negative(duration_s, "duration_s") * (
        supply_w + non_negative(circuit_w, "circuit_w")
    )
