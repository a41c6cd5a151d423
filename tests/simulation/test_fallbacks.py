"""Which fallback delivers most where Lemma 1 does not fit, and that the default is one of them."""

from collections import Counter

from cosim.scenario.radio import Lemma1Power
from cosim.trace.schema import TransferOutcome
from tests.simulation.small_networks import PROFILE, method, scenario, simulate

SEEDS = range(1, 7)


def delivered(fallback: str, fading: dict[str, object]) -> int:
    """Transfers in time of six walkers in a disc that all send to all, most beyond their power."""
    outcomes: Counter[TransferOutcome] = Counter()
    for seed in SEEDS:
        chosen = scenario(
            seed=seed,
            rounds=3,
            method=method("complete"),
            learning={"model": "none", "payload_bits": 8_000_000, "flop": 1.0e12},
            area={"shape": "disc", "radius_m": 100},
            devices=[{"count": 6, "profile": PROFILE}],
            radio={
                "bandwidth_hz": 5.0e6,
                "fading": fading,
                "power": {"policy": "lemma1", "margin_db": 3, "fallback": fallback},
            },
        )
        outcomes.update(row.outcome for row in simulate(chosen).transfers)
    assert outcomes.total() == len(SEEDS) * 3 * 6 * 5
    return outcomes[TransferOutcome.DELIVERED]


def test_the_default_delivers_most_where_the_channel_moves_within_the_deadline() -> None:
    """A receiver in a fade at the start of a transfer is out of it long before Γ: power that is
    proportional to the fade, or none at all, is wrong then. The same channels for all three."""
    clarke = {"model": "clarke", "sinusoids": 16}
    found = {name: delivered(name, clarke) for name in ("scale", "drop_weakest", "max_power")}
    assert Lemma1Power().fallback == max(found, key=lambda name: found[name])
    assert found["scale"] < found["drop_weakest"] < found["max_power"]


def test_dropping_the_weakest_delivers_most_where_the_channel_stands_still() -> None:
    found = {
        name: delivered(name, {"model": "block"}) for name in ("scale", "drop_weakest", "max_power")
    }
    assert found["scale"] < found["max_power"] < found["drop_weakest"]
