"""Decibels: fixed points, round trips, and silence."""

import numpy as np
import pytest

from cosim.physics.decibel import db_to_ratio, dbm_to_w, ratio_to_db, w_to_dbm


def test_fixed_points() -> None:
    assert db_to_ratio(30.0) == pytest.approx(1000.0, rel=1e-14)
    assert dbm_to_w(0.0) == pytest.approx(1e-3, rel=1e-14)
    assert w_to_dbm(0.2) == pytest.approx(23.010299956639813, rel=1e-14)


def test_round_trip() -> None:
    levels = np.linspace(-200.0, 60.0, 53)
    np.testing.assert_allclose(ratio_to_db(db_to_ratio(levels)), levels, atol=1e-11)
    np.testing.assert_allclose(w_to_dbm(dbm_to_w(levels)), levels, atol=1e-11)


def test_silence_is_minus_infinity_and_negative_power_is_refused() -> None:
    assert ratio_to_db(0.0) == -np.inf
    assert w_to_dbm(0.0) == -np.inf
    assert dbm_to_w(-np.inf) == 0.0
    with pytest.raises(ValueError, match="ratio"):
        ratio_to_db(-1.0)
