"""What a device group may say of its rank, and which methods refuse it, with the reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from cosim.methods import METHODS
from cosim.scenario.model import Scenario

# Everything else is refused.
ALLOWED = {
    *("local", "lora", "dec_lora", "product_sum"),
    *("ffa_lora", "rolora", "tad_lora", "adf_lora"),
    *("decaf", "sum_product", "lori_dense"),
}
REASONS = {
    "lori": "expansion 'magnitude_mask' keeps positions of B",
    "proposed": "aggregation 'support_normalised' divides each value",
    "proposed_single_cluster": "aggregation 'support_normalised' divides each value",
    "proposed_literal": "aggregation 'support_normalised' divides each value",
    "hard_moe": "data 'task' trains one adapter for several devices: leave the rank out",
    "centralised": "data 'pooled' trains one adapter for several devices: leave the rank out",
    "full_finetune": "expansion 'every_parameter' has no adapters: leave the rank out",
    "fedrot_lora": "aggregation 'rotated_mean' turns r directions into each other",
    "dfl_imperfect": "aggregation 'erased_mean' tells values that were lost",
    "event_gossip": "aggregation 'snapshots' begins with what all devices have",
    "ef_hc": "sending 'on_drift' has one threshold",
    "salf": "aggregation 'layerwise_mean' moves what a device had before its training",
    "flexatc": "aggregation 'control_variate' has a correction for every value",
    "air_fedavg": "aggregation 'superposed_mean' has the air add up",
}


def scenario(ranks: list[int | None], **sections: Any) -> Scenario:
    groups = [{"count": 2} if rank is None else {"count": 2, "rank": rank} for rank in ranks]
    data: dict[str, Any] = {
        "rounds": 1,
        "method": "lora",
        "adapter": {"rank": 8},
        "tasks": {"sums": {"dataset": "chain_sum"}},
        "devices": groups,
    }
    return Scenario.model_validate(data | sections)


def test_ranks_are_a_groups_or_the_adapters() -> None:
    assert scenario([4, None, 8]).ranks == (4, 4, 8, 8, 8, 8)


def test_a_rank_above_the_adapters_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"devices\.1\.rank: 16 is above adapter\.rank, 8"):
        scenario([4, 16])


def test_every_method_is_allowed_or_refused_with_its_reason() -> None:
    assert ALLOWED | REASONS.keys() == METHODS.keys()
    for name in METHODS:
        plain = {"optimizer": "sgd"} if METHODS[name].needs_sgd else {}
        parts = {"method": name, "training": plain}
        scenario([8, None], **parts)
        if name in ALLOWED:
            scenario([4, None], **parts)
            continue
        with pytest.raises(ValidationError) as refused:
            scenario([None, 4], **parts)
        sentence = str(refused.value)
        assert "devices.1.rank: 4 is below adapter.rank, 8, and " + REASONS[name] in sentence


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ({"name": "ffa_lora", "expansion": "gradient_mask"}, "expansion 'gradient_mask' keeps"),
        ({"name": "lora", "sending": "on_drift", "topology": "ring"}, "sending 'on_drift' has"),
    ],
)
def test_a_part_refuses_in_any_method(method: Any, reason: str) -> None:
    scenario([None], method=method)
    with pytest.raises(ValidationError) as refused:
        scenario([4], method=method)
    assert reason in str(refused.value)


def test_where_nothing_is_learnt_a_rank_has_no_meaning_and_no_refusal() -> None:
    assert scenario([4], method="proposed", learning="none").ranks == (4, 4)
