"""Energy is the integral of power; compute times follow the device, not the host."""

import numpy as np
import pytest

from cosim.physics.compute import (
    compute_overhead_s,
    compute_time_flop_s,
    compute_time_paper_s,
)
from cosim.physics.energy import transmit_energy_j


def test_consumed_is_more_than_radiated() -> None:
    assert transmit_energy_j(2.0, 0.2, 0.4, 0.1) == pytest.approx(2.0 * (0.5 + 0.1))
    assert transmit_energy_j(2.0, 0.0, 0.4, 0.1) == pytest.approx(0.2)


def test_energy_is_additive_over_time() -> None:
    parts = np.array([0.5, 1.25, 3.0])
    assert transmit_energy_j(parts, 0.2, 0.3, 0.1).sum() == pytest.approx(
        transmit_energy_j(parts.sum(), 0.2, 0.3, 0.1), rel=1e-14
    )


def test_compute_times() -> None:
    assert compute_time_flop_s(3e12, 2e12, 0.3) == pytest.approx(5.0)
    assert compute_time_paper_s(1e-9, 8.6e6, 100, 10) == pytest.approx(0.086)
    assert compute_overhead_s(3, 0.1, 2e6, 1e-8, 5e6, 4e-8) == pytest.approx(0.3 + 0.02 + 0.2)


def test_overheads_add_up_over_jobs() -> None:
    passes, updates, ranked = np.array([1, 4]), np.array([0, 1e6]), np.array([7e6, 0])
    both = compute_overhead_s(passes, 0.1, updates, 1e-8, ranked, 4e-8)
    summed = compute_overhead_s(5, 0.1, 1e6, 1e-8, 7e6, 4e-8)
    assert both.sum() == pytest.approx(float(summed), rel=1e-14)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="pa_efficiency"):
        transmit_energy_j(1.0, 1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="duration_s"):
        transmit_energy_j(np.inf, 1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="utilisation"):
        compute_time_flop_s(1.0, 1.0, 1.5)
    with pytest.raises(ValueError, match="value_ranking_s"):
        compute_overhead_s(1, 1.0, 1, 1.0, 1, -1.0)
    with pytest.raises(ValueError, match="batch_size"):
        compute_time_paper_s(1.0, 1.0, 1.0, 0)
