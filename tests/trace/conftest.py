"""One sample row per table, with every nullable column null in one of the rows."""

import pytest

from cosim.trace.schema import (
    Cause,
    DeviceRow,
    EvaluationRow,
    EventKind,
    EventRow,
    LayerRow,
    PositionRow,
    RoundRow,
    Row,
    TopologyRow,
    TransferKind,
    TransferOutcome,
    TransferRow,
)


@pytest.fixture
def rows() -> dict[str, list[Row]]:
    """Table → two rows."""
    transfer = TransferRow(
        number=0,
        round=1,
        src=0,
        dst=1,
        kind=TransferKind.UPDATE,
        bits=3_000_000_000,
        start_s=1.0,
        end_s=2.0,
        deadline_at_s=9.0,
        distance_m=50.0,
        bandwidth_hz=1e6,
        power_w=0.2,
        consumed_w=0.2,
        mean_snr_db=12.5,
        mean_rate_bit_s=3e6,
        sent_bits=3e9,
        delivered_bits=3e9,
        energy_tx_j=0.2,
        energy_rx_j=0.1,
        outcome=TransferOutcome.DELIVERED,
        cause=Cause.BITS_DELIVERED,
    )
    one_round = RoundRow(
        round=1,
        device=0,
        start_s=0.0,
        end_s=9.0,
        compute_s=1.0,
        send_s=1.0,
        wait_s=7.0,
        off_s=0.0,
        flop=1e15,
        loss=0.7,
        bits_sent=3e9,
        received=2,
        stale=0,
        missed=1,
        silent=1,
        edges_used=0.5,
        energy_compute_j=5.0,
        energy_tx_j=0.2,
        energy_rx_j=0.1,
        energy_idle_j=0.3,
        battery_j=100.0,
        x_m=1.0,
        y_m=2.0,
    )
    return {
        "devices": [
            DeviceRow(0, 0, "pi", 1.5, 1e11, 100.0, "arithmetic", 60, 0.1, 4),
            DeviceRow(1, 1, "devices.1.profile", 1.0, 2e11, None, None, None, None, None),
        ],
        "events": [
            EventRow(0.0, 1, 0, EventKind.PLAN, None, Cause.SCHEDULE),
            EventRow(2.0, 1, 1, EventKind.RECEIVE, 0, Cause.BITS_DELIVERED, 0),
        ],
        "transfers": [
            transfer,
            transfer._replace(number=1, kind=TransferKind.EXPERT, outcome=TransferOutcome.LATE),
        ],
        "rounds": [one_round, one_round._replace(device=1, loss=None, battery_j=None)],
        "topology": [TopologyRow(1, 0, 3, 2, 0.25, None), TopologyRow(1, 1, 3, 2, None, 0.5)],
        "layers": [
            LayerRow(0, 0, "q_proj", 2.5, 0.1, 2**40, 2**36),
            LayerRow(0, 1, "v_proj", None, 1.0, 10, 10),
        ],
        "evaluations": [
            EvaluationRow(9.0, 1, 0, "arithmetic", "accuracy", 0.5, 100),
            EvaluationRow(9.0, 1, 1, "Räume", "accuracy", float("nan"), 0),
        ],
        "positions": [PositionRow(0.0, 0, 1.0, -2.0), PositionRow(1.0, 0, 1.5, -0.0)],
    }
