"""Rates, thresholds and chances of packets that are sent once, by hand and by draws."""

import math

import numpy as np
import pytest

from cosim.physics.fading import block_power_gain
from cosim.physics.single_pass import (
    decoded,
    decoding_snr,
    rayleigh_delivery,
    single_pass_efficiency,
)
from cosim.randomness import stream


def test_the_rate_is_what_the_snr_carries_but_never_too_slow_for_the_deadline() -> None:
    # log2(1 + 3) = 2 bit/s/Hz; 6 dB less of it, log2(1.75); and 1.2e6 bit in 1e5 Hz·4 s are 3.
    assert single_pass_efficiency(3.0, 1.0, 1e5, 1e5, 4.0) == pytest.approx(2.0, rel=1e-15)
    assert single_pass_efficiency(3.0, 4.0, 1e5, 1e5, 4.0) == pytest.approx(math.log2(1.75))
    assert single_pass_efficiency(3.0, 1.0, 1.2e6, 1e5, 4.0) == 3.0
    assert single_pass_efficiency(0.0, 1.0, 1.2e6, 1e5, 4.0) == 3.0


def test_a_packet_is_decoded_from_its_threshold_on() -> None:
    assert decoding_snr(2.0) == pytest.approx(3.0, rel=1e-15)
    snr = np.array([[2.999, 3.0, 3.001], [0.999, 1.0, np.nextafter(1.0, 2.0)]])
    assert decoded(snr, np.array([[2.0], [1.0]])).tolist() == [[False, True, True]] * 2
    # A rate that aims at an SNR exactly does not miss it.
    some = np.geomspace(1e-9, 1e9, 1000)
    assert decoded(some, single_pass_efficiency(some, 1.0, 0.0, 1.0, 1.0)).all()


@pytest.mark.parametrize(("mean_snr", "efficiency"), [(2.5, 2.0), (1.0, 0.5), (30.0, 4.0)])
def test_the_chance_in_rayleigh_fading_is_the_share_of_draws(
    mean_snr: float, efficiency: float
) -> None:
    draws = 40_000
    snr = mean_snr * block_power_gain(stream(2, "single pass"), draws)
    chance = float(rayleigh_delivery(mean_snr, efficiency))
    assert chance == pytest.approx(math.exp(-(2**efficiency - 1) / mean_snr), rel=1e-14)
    share = float(decoded(snr, efficiency).mean())
    assert abs(share - chance) < 4.5 * math.sqrt(chance * (1 - chance) / draws)


def test_without_snr_nothing_arrives_and_without_a_rate_everything() -> None:
    assert rayleigh_delivery(0.0, 1.0) == 0.0
    assert rayleigh_delivery(1.0, 0.0) == 1.0


@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_bad_numbers_are_refused(bad: float) -> None:
    for call in (
        lambda: single_pass_efficiency(bad, 1.0, 1.0, 1.0, 1.0),
        lambda: single_pass_efficiency(1.0, 1.0, bad, 1.0, 1.0),
        lambda: single_pass_efficiency(1.0, 1.0, 1.0, bad, 1.0),
        lambda: decoded(bad, 1.0),
        lambda: decoding_snr(bad),
        lambda: rayleigh_delivery(bad, 1.0),
    ):
        with pytest.raises(ValueError, match=r"not negative|positive"):
            call()
