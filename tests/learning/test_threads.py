"""What is computed side by side has the values of what is computed in turn."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch

from cosim.learning.calibration.prompt_features import PromptReader
from cosim.learning.threads import one_thread_aside, one_thread_each
from cosim.methods import METHODS
from cosim.methods.calibration import Calibration
from cosim.methods.projection.gaussian import gaussian_projection
from tests.learning.small_learners import DEVICES, calibrating, small_learner, small_pools


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, Any]:
    return small_pools(tiny_llama)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def equal(one: Calibration, other: Calibration) -> bool:
    assert one.features is not None
    assert other.features is not None
    assert one.entropies is not None
    assert other.entropies is not None
    return torch.equal(one.features, other.features) and np.array_equal(
        one.entropies, other.entropies
    )


@pytest.mark.usefixtures("two_threads")
def test_items_are_computed_at_once_with_one_thread_each() -> None:
    both = Barrier(2, timeout=60)

    def threads(number: int) -> tuple[int, int]:
        both.wait()  # for the other: in turn, nobody would come
        return number, torch.get_num_threads()

    with one_thread_each(4) as each:
        assert each(threads, [5, 6, 7, 8]) == [(5, 1), (6, 1), (7, 1), (8, 1)]
    assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), one_thread_each(4) as each:
        each(dict[int, int]().__getitem__, [1])
    assert torch.get_num_threads() == 2
    with one_thread_each(1) as each:
        assert each(lambda _: torch.get_num_threads(), [0, 0]) == [1, 1]


@pytest.mark.usefixtures("two_threads")
def test_what_computes_aside_has_one_thread_and_takes_none_from_others() -> None:
    with one_thread_aside() as aside:
        assert aside.submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == 2


@pytest.mark.usefixtures("two_threads")
def test_devices_side_by_side_are_calibrated_as_one_after_the_other(
    tiny_llama: Path, pools: Any
) -> None:
    recipe = METHODS["proposed_single_cluster"]
    alone, together = (small_learner(tiny_llama, pools, recipe) for _ in range(2))
    rows = [together.calibration_rows(device) for device in range(len(DEVICES))]
    rows.append((*rows[0][:2], *rows[1][:3]))  # of prompts that have been read for others
    wanted = [alone.calibrator.calibrate_all([one])[0] for one in rows]
    found = together.calibrator.calibrate_all(rows)
    assert all(equal(*pair) for pair in zip(found, wanted, strict=True))
    assert not equal(found[0], found[1])


@pytest.mark.usefixtures("two_threads")
def test_jobs_settled_together_find_what_each_would_find(
    tiny_llama: Path, pools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = METHODS["proposed_single_cluster"]
    alone, together = (small_learner(tiny_llama, pools, recipe) for _ in range(2))
    settled: list[int] = []
    monkeypatch.setattr(
        "cosim.learning.learner.train_together",
        lambda jobs, *_: settled.extend(job.device for job in jobs),
    )
    for device in range(len(DEVICES)):
        together.submit(device, 1)
    together._settle()
    assert settled == list(range(len(DEVICES)))
    assert set(together.found) == set(settled)
    for device, found in together.found.items():
        calibrating(alone, device).result()
        assert equal(found, alone.found[device])


def test_what_is_still_to_be_read_is_what_lists_in_turn_would_read(
    tiny_llama: Path, pools: Any
) -> None:
    learner = small_learner(tiny_llama, pools, METHODS["proposed_single_cluster"])
    model = learner.calibrator.model
    lists: list[list[tuple[int, ...]]] = [
        [(0, 5, 9), (0, 7)],
        [(0, 7), (0, 8, 8, 8)],
        [(0, 5, 9)],
        [(0, 1), (0, 2), (0, 1)],
    ]
    planned = PromptReader(model, 4).passes(lists)
    assert planned == [[(0, 5, 9), (0, 7)], [(0, 8, 8, 8)], [(0, 1), (0, 2)]]
    reader, seen = PromptReader(model, 4), []
    read = reader.read

    def watched(prompts: Any) -> None:
        seen.append(prompts)
        read(prompts)

    reader.read = watched  # type: ignore[method-assign]
    for prompts in lists:
        reader.features(prompts)
    assert seen == planned


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("seed", ["own", "shared"])
def test_every_device_begins_with_the_projection_of_its_stream(
    tiny_llama: Path, pools: Any, seed: str
) -> None:
    recipe = METHODS["lori"].with_(projection={"name": "frozen", "seed": seed})
    fleet = small_learner(tiny_llama, pools, recipe).fleet
    for device, adapter in enumerate(fleet.adapters):
        owner = device if seed == "own" else "shared"
        assert torch.equal(adapter.projection, gaussian_projection(fleet.layout, 1, owner))
    shared = fleet.adapters[0].projection is fleet.adapters[1].projection
    assert shared == (seed == "shared")
    assert replace(fleet.adapters[0]).support is fleet.adapters[0].support


def test_who_calibrates_first_calibrates_for_all_who_wait(
    tiny_llama: Path, pools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = METHODS["proposed"]
    alone, together = (small_learner(tiny_llama, pools, recipe) for _ in range(2))
    calls: list[int] = []
    calibrate_all = together.calibrator.calibrate_all

    def counted(rows: Any) -> Any:
        calls.append(len(rows))
        return calibrate_all(rows)

    monkeypatch.setattr(together.calibrator, "calibrate_all", counted)
    jobs = [calibrating(together, device) for device in range(len(DEVICES))]
    jobs[1].discard()
    for device in (2, 0):
        jobs[device].result()
        calibrating(alone, device).result()
        assert equal(together.found[device], alone.found[device])
        found, wanted = (one.fleet.states[device].calibration for one in (together, alone))
        assert found is not None
        assert wanted is not None
        assert equal(found, wanted)
    assert [count for count in calls if count] == [len(DEVICES)]
    assert together.fleet.states[1].calibration is None
    assert together.submit(1, 0) is not None
