"""Path loss: the free-space reference, the near field, and what is refused."""

import numpy as np
import pytest

from cosim.physics.pathloss import log_distance_gain, paper_gain, reference_loss_db, wavelength_m


def test_reference_loss_at_the_usual_carrier() -> None:
    assert reference_loss_db(3.5e9) == pytest.approx(43.3, abs=0.05)
    assert wavelength_m(3.5e9) == pytest.approx(0.0857, abs=5e-5)


def test_exponent_two_is_free_space_at_any_reference() -> None:
    distance = np.array([1.0, 7.0, 250.0])
    friis = (wavelength_m(2.4e9) / (4.0 * np.pi * distance)) ** 2
    for reference in (1.0, 10.0):
        gain = log_distance_gain(distance, exponent=2.0, carrier_hz=2.4e9, reference_m=reference)
        np.testing.assert_allclose(gain, friis, rtol=1e-12)


def test_slope_is_ten_alpha_db_per_decade() -> None:
    near, far = log_distance_gain([10.0, 100.0], exponent=3.7, carrier_hz=3.5e9)
    assert 10.0 * np.log10(near / far) == pytest.approx(37.0, rel=1e-12)


def test_distances_below_the_minimum_count_as_the_minimum() -> None:
    gains = log_distance_gain([0.0, 0.3, 5.0], exponent=3.0, carrier_hz=3.5e9, minimum_m=5.0)
    assert gains[0] == gains[1] == gains[2]
    assert paper_gain(0.0, exponent=3.0, minimum_m=2.0) == pytest.approx(2.0**-3)


def test_paper_gain_is_unity_at_one_metre() -> None:
    np.testing.assert_allclose(paper_gain([1.0, 10.0], exponent=3.0), [1.0, 1e-3], rtol=1e-14)


def test_a_passive_channel_cannot_amplify() -> None:
    with pytest.raises(ValueError, match="exceeds 1"):
        log_distance_gain(50.0, exponent=3.0, carrier_hz=3.5e9, minimum_m=0.01)


@pytest.mark.parametrize(
    "bad", [{"exponent": 0.0}, {"carrier_hz": -1.0}, {"minimum_m": 0.0}, {"distance_m": np.nan}]
)
def test_bad_arguments_are_named(bad: dict[str, float]) -> None:
    good = {"distance_m": 10.0, "exponent": 3.0, "carrier_hz": 3.5e9, "minimum_m": 1.0}
    with pytest.raises(ValueError, match=next(iter(bad))):
        log_distance_gain(**(good | bad))
