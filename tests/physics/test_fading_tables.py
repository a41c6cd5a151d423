"""Evenly travelled links from tables of phases against the sum of cosines that defines them."""

import numpy as np
import pytest

from cosim.physics.fading import (
    SumOfSinusoids,
    clarke_power_gains,
    clarke_power_gains_at_even_steps,
)
from cosim.randomness import stream

LINKS = 7


@pytest.mark.parametrize("samples", [1, 2, 3, 15, 16, 17, 512])
@pytest.mark.parametrize("start_m", [0.0, 3.7, 5.0e4])
def test_the_tables_give_the_sum(samples: int, start_m: float) -> None:
    """After 50 km an angle is 4·10⁶ rad, known to some 10⁻⁹: so is a gain of order 1."""
    streams = [stream(1, "fading", 0, link) for link in range(LINKS)]
    fadings = SumOfSinusoids.draw_all(streams, carrier_hz=3.5e9)
    random = stream(1, "steps")
    start = start_m + random.uniform(0.0, 1.0, (2, LINKS))
    step = random.uniform(0.0, 0.1, (2, LINKS))
    step[:, 0] = 0.0  # at rest
    paths = start[..., None] + step[..., None] * np.arange(samples)
    found = clarke_power_gains_at_even_steps(fadings, start[0], step[0], start[1], step[1], samples)
    assert found.shape == (LINKS, samples)
    tolerance = 1e-11 if start_m < 1e3 else 1e-7
    np.testing.assert_allclose(found, clarke_power_gains(fadings, *paths), atol=tolerance, rtol=0)
    assert np.ptp(found[0]) <= tolerance


def test_one_batch_has_one_number_of_sinusoids() -> None:
    pair = [
        SumOfSinusoids.draw_all([stream(1, "fading", 0, n)], carrier_hz=1e9, sinusoids=n)[0]
        for n in (8, 16)
    ]
    with pytest.raises(ValueError, match="same number of sinusoids"):
        clarke_power_gains_at_even_steps(pair, [0, 0], [1, 1], [0, 0], [1, 1], 4)
