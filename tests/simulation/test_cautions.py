"""What a part cautions of is said by `check` and by the run, in the same words."""

from cosim.methods import METHODS
from cosim.preflight.explain import explain
from cosim.scenario.model import Scenario
from cosim.simulation.agreement import settled
from cosim.simulation.setup.build import build_devices, build_learner, world_of
from cosim.simulation.setup.warnings import world_warnings
from tests.simulation.small_networks import MemoryTrace


def test_a_factor_that_rests_unmixed_is_warned_of() -> None:
    rolora = METHODS["rolora"]
    assert rolora.projection.cautions(rolora) is None
    slow = rolora.with_(projection={**rolora.projection.model_dump(), "interval": 4})
    sentence = slow.projection.cautions(slow)
    assert sentence is not None
    assert "stays as each device has it" in sentence
    both = METHODS["tad_lora"].with_(projection={"name": "alternating", "interval": 4})
    assert both.projection.cautions(both) is None
    scenario = Scenario.model_validate(
        {"learning": "none", "rounds": 1, "method": slow, "devices": [{"count": 2}]}
    )
    assert sentence in world_warnings(scenario, build_devices(scenario))


def test_a_run_warns_of_it_as_check_does_where_the_interval_follows_from_the_graph() -> None:
    """In a complete graph ρ is 0 and T 1: nothing rests."""
    active = {"name": "alternating", "interval": "connectivity", "factors": "active"}
    method = METHODS["rolora"].with_(projection=active, topology="complete")
    scenario = Scenario.model_validate(
        {"learning": "none", "rounds": 1, "method": method, "devices": [{"count": 3}]}
    )
    devices = build_devices(scenario)
    told, _ = settled(scenario)
    run = world_of(told, devices, build_learner(told), MemoryTrace())
    assert run.warnings == list(explain(scenario).warnings)
    assert not any("stays as each device has it" in sentence for sentence in run.warnings)
