"""Calibration against a plain forward pass, and what a learner plans and counts by it."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load, weights_sha256
from cosim.learning.calibration.calibrator import Calibrator, _Spectra
from cosim.learning.calibration.prompt_features import PromptReader, gate_blocks, unit_tokens
from cosim.learning.calibration.spectrum import spectral_entropy
from cosim.learning.costs.flop import Work
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.pool import TaskPool
from cosim.methods import METHODS
from cosim.methods.calibration import Calibration
from cosim.methods.expansion.entropy_mask import EntropyMask
from cosim.methods.layout import Layout, shared_inputs
from cosim.methods.message import SEED_BITS, mask_bits
from cosim.methods.projection.frozen import Frozen, refined_projection
from tests.learning.small_learners import calibrating, one_round, small_learner, small_pools, tuning

ROWS = [Encoded((0, 5, 9, 33), (7, 8)), Encoded((0, 41), (9,)), Encoded((0, 11, 12, 60, 61), (4,))]


@pytest.fixture(scope="module")
def plain(tiny_llama: Path) -> Any:
    return load(f"path:{tiny_llama}", "float32").model


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


PRINTED_SPECTRUM = EntropyMask(spectrum="weights")


def calibrator(plain: Any, **changes: Any) -> Calibrator:
    model = AdaptedModel(copy.deepcopy(plain))
    layout = Layout(model.modules, 2)
    needs = METHODS["proposed"].with_(**changes).needs
    work = Work.of(plain, layout, trainable_projection=False)
    return Calibrator(model, layout, needs, PromptReader(model, 4), work, weights_sha256(plain))


def inputs_of(plain: Any, module: str, rows: Sequence[Encoded] = ROWS) -> Tensor:
    """All tokens' inputs of one module, row by row without padding."""
    seen = []
    handle = plain.get_submodule(module).register_forward_pre_hook(
        lambda _, args: seen.append(args[0][0])
    )
    with torch.no_grad():
        for row in rows:
            plain(input_ids=torch.tensor([(row.prompt + row.answer)[:-1]]))
    handle.remove()
    return torch.cat(seen).double()


def test_entropies_and_mean_inputs_are_those_of_plain_passes(plain: Any) -> None:
    one = calibrator(plain, projection=Frozen(refined=True))
    found = one.calibrate_all([ROWS])[0]
    assert found.inputs is not None
    assert found.entropies is not None
    start = 0
    for number, module in enumerate(one.layout.modules):
        X = inputs_of(plain, module.name)
        mean = found.inputs[start : start + module.in_features].double()
        torch.testing.assert_close(mean, X.mean(0), atol=1e-5, rtol=1e-4)
        C = X.T @ X / len(X)
        C += 0.01 * C.diagonal().mean() * torch.eye(len(C))
        W = plain.get_submodule(module.name).weight.double()
        wanted = spectral_entropy(torch.linalg.svdvals(W @ C))
        assert found.entropies[number] == pytest.approx(wanted, abs=2e-3)
        start += module.in_features
    assert np.ptp(found.entropies) > 0.01


def test_triangles_of_long_weights_are_found_once_and_change_no_entropy(
    plain: Any,
) -> None:
    layout = calibrator(plain).layout
    shared = shared_inputs(layout.modules)
    triangles: dict[int, Tensor] = {}
    weights = [plain.get_submodule(module.name).weight for module in layout.modules]
    inputs = [inputs_of(plain, module.name).float() for module in layout.modules]
    found = []
    for kept in (None, triangles, triangles):
        names = [module.name for module in layout.modules]
        spectra = _Spectra(shared, names, entropies=True, triangles=kept)
        before = dict(triangles)
        for number, (W, X) in enumerate(zip(weights, inputs, strict=True)):
            spectra.see(number, W, X)
        found.append(spectra.entropies)
        assert all(triangles[number] is R for number, R in before.items())
    assert set(triangles) == {n for n, W in enumerate(weights) if W.shape[0] > W.shape[1]} != set()
    assert found[1] == found[2]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)


def spoilt(one: Any, name: str, weight: Any) -> Any:
    """The calibrator over a base model with other weights in one module."""
    layer = one.model.model.get_submodule(name)
    with torch.no_grad():
        getattr(layer, "base", layer).weight.copy_(weight)
    return one


def test_what_is_not_finite_is_told_with_its_module(plain: Any) -> None:
    nan, q_proj = float("nan"), "model.layers.1.self_attn.q_proj"
    after = "model.layers.0.mlp.down_proj"  # what it puts out, the next block reads
    only_entropies = {"composition": "oracle"}
    found = spoilt(calibrator(plain, **only_entropies), after, nan).calibrate_all([ROWS])[0]
    # Its own W0 is the first that has no spectrum, whatever follows.
    assert found.fault == f"the spectrum of {after} is not finite"
    norm = "model.layers.1.input_layernorm"
    found = spoilt(calibrator(plain, **only_entropies), norm, nan).calibrate_all([ROWS])[0]
    assert found.fault == f"the inputs of {q_proj} are not finite"
    assert found.entropies is found.features is None
    found = spoilt(calibrator(plain), after, nan).calibrate_all([ROWS])[0]
    assert found.fault == "what block 1 of the base model reads is not finite"
    printed = calibrator(plain, expansion=PRINTED_SPECTRUM, **only_entropies)
    found = spoilt(printed, q_proj, nan).calibrate_all([ROWS])[0]
    assert found.fault == f"the spectrum of {q_proj} is not finite"


def test_inputs_that_are_all_zero_have_an_entropy_of_zero(plain: Any) -> None:
    """No fault: the module asks for nothing, and the others share the budget."""
    one = spoilt(calibrator(plain), "model.layers.1.input_layernorm", 0.0)
    found = one.calibrate_all([ROWS])[0]
    assert found.fault is None
    names = [module.name for module in one.layout.modules]
    of_first = found.entropies[names.index("model.layers.1.self_attn.q_proj")]
    assert of_first == 0.0
    assert found.entropies[0] > 0.5


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e30])
def test_a_mean_input_without_direction_is_told_with_its_module(
    tiny_llama: Path, pools: dict[str, TaskPool], size: float
) -> None:
    learner = small_learner(tiny_llama, pools, METHODS["proposed_literal"])
    inputs = torch.ones(sum(module.in_features for module in learner.layout.modules))
    inputs[32:64] = size  # of the second module
    name = learner.layout.modules[1].name
    assert learner.layout.modules[0].in_features == learner.layout.modules[1].in_features == 32
    assert learner.fleet.fault(Calibration(inputs=torch.ones_like(inputs))) is None
    assert learner.fleet.fault(Calibration(inputs=inputs)) == (
        f"the mean input of {name} has no direction: it is zero or not finite"
    )


@pytest.mark.parametrize("alike", [(), (3, 14, 15, 92)])
def test_features_are_means_over_the_prompt_alone(plain: Any, alike: tuple[int, ...]) -> None:
    """Of prompts that begin alike too, of which one is nothing but what they begin with."""
    one = calibrator(plain)
    assert one.reader.blocks == [0, 1]
    rows = [replace(row, prompt=(*alike, *row.prompt)) for row in ROWS]
    rows += [replace(rows[0], prompt=alike)] if alike else []
    features = one.calibrate_all([rows])[0].features
    assert features is not None
    assert features.shape == (2, 32)
    wanted = []
    for row in rows:
        ids = torch.tensor([row.prompt])
        with torch.no_grad():
            states = plain(input_ids=ids, output_hidden_states=True).hidden_states
        units = [torch.nn.functional.rms_norm(states[n][0], (32,), eps=1e-6) for n in (0, 1)]
        wanted.append(torch.stack([unit.mean(0) for unit in units]))
    torch.testing.assert_close(features, torch.stack(wanted).mean(0), atol=1e-5, rtol=1e-4)
    longer = [replace(row, answer=(*row.answer, 50, 51)) for row in rows]
    torch.testing.assert_close(one.calibrate_all([longer])[0].features, features)


def test_one_long_token_does_not_drown_the_others() -> None:
    states = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1))
    longer = states.clone()
    longer[:, 0] *= 1000.0
    torch.testing.assert_close(unit_tokens(longer), unit_tokens(states), atol=1e-5, rtol=1e-4)


def test_the_last_token_alone_may_be_read(plain: Any) -> None:
    model = AdaptedModel(copy.deepcopy(plain))
    prompts = [row.prompt for row in ROWS]
    last = PromptReader(model, 4, "last").features(prompts)
    for prompt, found in zip(prompts, last, strict=True):
        ids = torch.tensor([prompt])
        with torch.no_grad():
            states = plain(input_ids=ids, output_hidden_states=True).hidden_states
        wanted = torch.stack([unit_tokens(states[block][0, -1]) for block in (0, 1)])
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_as_printed_the_spectrum_does_not_know_the_task(plain: Any) -> None:
    one = calibrator(plain, expansion=PRINTED_SPECTRUM)
    of_all, of_one = (one.calibrate_all([rows])[0].entropies for rows in (ROWS, ROWS[:1]))
    assert of_all is not None
    assert of_one is not None
    assert of_all.tolist() == of_one.tolist()
    rows = 10 * ROWS  # enough for C to be what a device finds
    assert one.workload(rows).flop < calibrator(plain).workload(rows).flop


def test_a_recipe_without_need_looks_at_nothing(plain: Any) -> None:
    one = calibrator(plain, expansion="gradient_mask", composition="oracle")
    found = one.calibrate_all([ROWS])[0]
    assert found.entropies is None
    assert found.features is None
    assert found.inputs is None


def test_blocks_are_spaced_evenly() -> None:
    assert gate_blocks(30, 4) == [6, 12, 18, 24]
    assert gate_blocks(30, 1) == [15]
    assert gate_blocks(2, 4) == [0, 1]
    assert gate_blocks(1, 1) == [0]


@pytest.mark.parametrize("name", ["proposed", "proposed_literal"])
def test_calibrating_first_changes_the_work_and_nothing_else(
    tiny_llama: Path, pools: dict[str, TaskPool], name: str
) -> None:
    early, late = (small_learner(tiny_llama, pools, METHODS[name]) for _ in range(2))
    jobs = [calibrating(early, device) for device in range(3)]
    assert all(job.work.flop > 0 and job.work.steps == 0 for job in jobs)
    assert early.submit(0, 0) is not None, "nothing is done before the result is asked for"
    for job in jobs:
        job.result()
    assert early.submit(0, 0) is None
    planned = early.describe(range(3)).densities
    first = [tuning(early, device, 1) for device in range(3)]
    both = [tuning(late, device, 1) for device in range(3)]
    for device in range(3):
        flop = first[device].work.flop + jobs[device].work.flop
        assert both[device].work.flop == flop
        first[device].result()
        both[device].result()
        assert torch.equal(early.fleet.adapters[device].values, late.fleet.adapters[device].values)
        assert early.fleet.layers(device) == late.fleet.layers(device)
        assert late.submit(device, 0) is None
    np.testing.assert_array_equal(early.describe(range(3)).densities, planned)


def test_a_discarded_first_round_leaves_the_device_uncalibrated(
    tiny_llama: Path, pools: dict[str, TaskPool]
) -> None:
    learner = small_learner(tiny_llama, pools, METHODS["proposed"])
    job = tuning(learner, 1, 1)
    tuning(learner, 0, 1).result()  # settles both
    job.discard()
    assert learner.fleet.calibrations[1] is None
    assert learner.submit(1, 0) is not None
    assert learner.fleet.layers(1)[0].spectral_entropy is None
    entropy = learner.fleet.layers(0)[0].spectral_entropy
    assert entropy is not None
    assert entropy > 0


def test_a_literal_projection_is_refined_by_the_mean_input(
    tiny_llama: Path, pools: dict[str, TaskPool]
) -> None:
    learner = small_learner(
        tiny_llama, pools, METHODS["proposed_literal"], bits_per_value=32, target_modules=["q_proj"]
    )
    before = learner.fleet.adapters[0].projection
    calibrating(learner, 0).result()
    found = learner.fleet.calibrations[0]
    assert found is not None
    assert found.inputs is not None
    inputs = found.inputs.split(32)
    wanted = [
        refined_projection(A.view(2, 32), h) for A, h in zip(before.split(64), inputs, strict=True)
    ]
    after = learner.fleet.adapters[0].projection
    torch.testing.assert_close(after, torch.cat([A.flatten() for A in wanted]))
    tuning(learner, 0, 1).result()
    assert torch.equal(learner.fleet.adapters[0].projection, after)


@pytest.mark.parametrize("name", ["proposed", "lori"])
def test_devices_have_their_own_budgets(
    tiny_llama: Path, pools: dict[str, TaskPool], name: str
) -> None:
    learner = small_learner(tiny_llama, pools, METHODS[name], densities=[0.1, 0.5, 0.1])
    total = learner.layout.expansion_size
    few = int(0.05 * total)
    bits = 16 * few + mask_bits(total, few) + SEED_BITS
    bits += 16 * 2 * 32 if name == "proposed" else 0  # h at both blocks
    learner.inform(2, bits, None)
    learner.inform(2, float("inf"), None)
    work = [tuning(learner, device, 1).work for device in range(3)]
    updates = one_round(learner)
    kept = [update.values.numel() for update in updates]
    assert kept == [pytest.approx(s * total, abs=1) for s in (0.1, 0.5, 0.05)]
    if name == "proposed":
        assert [w.trained for w in work] == kept
    else:  # half of the steps are those of the dense warm-up
        assert [w.trained for w in work] == [(k + total) // 2 for k in kept]
    assert learner.post.payload_bits(updates[2], 0) <= bits
    learner.inform(0, 5, None)  # too late: its mask is chosen
    assert learner.fleet.kept_by_module(0).sum() == kept[0]
