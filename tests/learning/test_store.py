"""Saved adapters come back as they were, each tensor once, and PEFT answers as the learner does."""

import copy
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cosim.errors import ExportError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.federation.own_rank import OwnRank
from cosim.learning.storing.adapter_store import read_adapters, save_adapters
from cosim.learning.storing.peft import write_peft
from cosim.methods.adapter import Adapter
from cosim.methods.composition.oracle import Oracle
from cosim.methods.composition.single import Single
from cosim.methods.composition.slot import Composition
from cosim.methods.data.own import Own
from cosim.methods.layout import Layout
from cosim.methods.projection.frozen import Frozen
from cosim.methods.projection.slot import Projection
from cosim.methods.projection.trained import Trained

RANK, ALPHA, SEED = 3, 5.0, 11
TASKS = ("sums", "words", "sums")
OWN, SINGLE = Frozen(), Single()


@pytest.fixture(scope="module")
def base(tiny_llama: Path) -> Any:
    return load(f"path:{tiny_llama}", "float32")


@pytest.fixture(scope="module")
def adapted(base: Any) -> AdaptedModel:
    return AdaptedModel(copy.deepcopy(base.model))


@pytest.fixture(scope="module")
def layout(adapted: AdaptedModel) -> Layout:
    return Layout(adapted.modules, RANK)


def adapters(layout: Layout, projection: Projection, *, masked: bool) -> list[Adapter]:
    out = []
    for device in range(len(TASKS)):
        random = torch.Generator().manual_seed(device)
        A = projection.first(layout, SEED, projection.owner(device))
        if projection.moves:
            A = A + 0.1 * torch.randn(A.shape, generator=random)
        values = 0.1 * torch.randn(layout.expansion_size, generator=random)
        support = (torch.rand(values.shape, generator=random) < 0.2).nonzero().flatten()
        out.append(Adapter(values[support], support, A) if masked else Adapter(values, None, A))
    return out


def fleet(
    layout: Layout,
    projection: Projection,
    *,
    masked: bool,
    composition: Composition = SINGLE,
) -> Any:
    """What the store reads of a fleet; every bank holds every expert."""
    own = adapters(layout, projection, masked=masked)
    parts = {"projection": projection, "composition": composition, "data": Own()}
    bank = {n: Adapter(one.values * 0.5, one.support, one.projection) for n, one in enumerate(own)}
    return SimpleNamespace(
        layout=layout,
        own=[OwnRank(layout, layout.rank)] * len(TASKS),
        method=SimpleNamespace(**parts),
        tasks=TASKS,
        adapters=own,
        calibrations=[None] * len(own),
        banks=[dict(bank) for _ in own],
        shared={},
    )


CASES = {
    "dense": (Trained(), False),
    "masked": (OWN, True),
    "as printed": (Frozen(scaled=False), True),
    "shared A": (Frozen(seed="shared"), False),
}
every_case = pytest.mark.parametrize(("projection", "masked"), CASES.values(), ids=CASES)


def same(one: Adapter, other: Adapter) -> bool:
    masks = (one.support is None) == (other.support is None)
    if masks and one.support is not None and other.support is not None:
        masks = torch.equal(one.support, other.support)
    values = torch.equal(one.values, other.values)
    return masks and values and torch.equal(one.projection, other.projection)


@every_case
@pytest.mark.parametrize("composition", [SINGLE, Oracle()], ids=str)
def test_what_is_saved_comes_back(
    layout: Layout, tmp_path: Path, projection: Projection, masked: bool, composition: Composition
) -> None:
    saved = fleet(layout, projection, masked=masked, composition=composition)
    save_adapters(tmp_path / "adapters", saved, scale=ALPHA / RANK, seed=SEED)
    store = read_adapters(tmp_path / "adapters")
    assert (store.layout, store.scale) == (layout, ALPHA / RANK)
    for device in range(len(TASKS)):
        assert same(store.adapter(device), saved.adapters[device])
        experts = store.experts(device)
        if not composition.asks_experts:
            assert [(one.owner, one.task) for one in experts] == [(device, TASKS[device])]
            assert same(experts[0].adapter, saved.adapters[device])
        else:
            assert [(one.owner, one.task) for one in experts] == list(enumerate(TASKS))
            for one in experts:
                assert same(one.adapter, saved.banks[device][one.owner])


def test_every_tensor_is_stored_once_and_small(layout: Layout, tmp_path: Path) -> None:
    saved = fleet(layout, OWN, masked=True, composition=Oracle())
    save_adapters(tmp_path / "adapters", saved, scale=1.0, seed=SEED)
    files = sorted((tmp_path / "adapters").glob("*.safetensors"))
    assert [path.name for path in files] == [f"device-{n:04d}.safetensors" for n in range(3)]
    held = Counter(name for path in files for name in load_file(path))
    assert set(held.values()) == {1}
    # Each owner: its own values, its values as a bank has them, one support; no projection.
    assert len(held) == 9
    kinds = Counter(str(t.dtype) for path in files for t in load_file(path).values())
    assert kinds == {"torch.float32": 6, "torch.int32": 3}


def test_views_of_one_memory_are_no_obstacle(layout: Layout, tmp_path: Path) -> None:
    saved = fleet(layout, Trained(), masked=False)
    rows = torch.stack([one.values for one in saved.adapters])
    saved.adapters = [
        Adapter(row, None, one.projection) for row, one in zip(rows, saved.adapters, strict=True)
    ]
    save_adapters(tmp_path / "adapters", saved, scale=1.0, seed=SEED)
    store = read_adapters(tmp_path / "adapters")
    assert all(same(store.adapter(n), one) for n, one in enumerate(saved.adapters))


def test_a_projection_that_no_seed_gives_is_stored_itself(layout: Layout, tmp_path: Path) -> None:
    saved = fleet(layout, OWN, masked=True)
    refined = saved.adapters[1]
    saved.adapters[1] = Adapter(refined.values, refined.support, 2 * refined.projection)
    save_adapters(tmp_path / "adapters", saved, scale=1.0, seed=SEED)
    assert same(read_adapters(tmp_path / "adapters").adapter(1), saved.adapters[1])


def test_a_seed_that_gives_another_projection_is_refused(layout: Layout, tmp_path: Path) -> None:
    save_adapters(tmp_path / "adapters", fleet(layout, OWN, masked=True), scale=1.0, seed=SEED)
    path = tmp_path / "adapters" / "index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    index["devices"][0]["adapter"]["projection"]["stream"][0] += 1
    path.write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ExportError, match="comes out otherwise here"):
        read_adapters(tmp_path / "adapters").adapter(0)


def test_what_cannot_be_read_or_written_is_told(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="not a readable index"):
        read_adapters(tmp_path)
    (tmp_path / "index.json").write_text('{"format": 2}', encoding="utf-8")
    with pytest.raises(ExportError, match="format 2; expected 1"):
        read_adapters(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be written"):
        save_adapters(
            tmp_path / "file" / "adapters",
            fleet(layout, Trained(), masked=False),
            scale=1.0,
            seed=SEED,
        )


@every_case
def test_peft_gives_the_logits_of_the_learner(
    base: Any,
    adapted: AdaptedModel,
    layout: Layout,
    tmp_path: Path,
    projection: Projection,
    masked: bool,
) -> None:
    from peft import PeftModel

    saved = fleet(layout, projection, masked=masked)
    save_adapters(tmp_path / "adapters", saved, scale=ALPHA / RANK, seed=SEED)
    store = read_adapters(tmp_path / "adapters")
    write_peft(tmp_path / "peft", store.layout, store.scale, store.adapter(1), "some/model")
    theirs = PeftModel.from_pretrained(copy.deepcopy(base.model), tmp_path / "peft")
    config: Any = theirs.peft_config["default"]
    assert (config.r, config.lora_alpha, config.task_type) == (RANK, ALPHA, "CAUSAL_LM")
    assert config.base_model_name_or_path == "some/model"

    tokens = torch.randint(2, 300, (4, 9), generator=torch.Generator().manual_seed(1))
    own = saved.adapters[1]
    pairs = layout.pairs(own.projection, own.expansion(layout))
    with torch.no_grad():
        with adapted.adapters(pairs, ALPHA / RANK):
            ours = adapted.logits(adapted.hidden(tokens))
        found = theirs(input_ids=tokens).logits
        plain = base.model(input_ids=tokens).logits
    torch.testing.assert_close(found, ours, rtol=0, atol=1e-5)
    assert (plain - ours).abs().max() > 0.1


def test_peft_adapts_the_modules_of_the_run_and_no_others(base: Any, tmp_path: Path) -> None:
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    chosen = AdaptedModel(copy.deepcopy(base.model), r"model\.layers\.1\..*(q|down)_proj").modules
    layout = Layout(chosen, RANK)
    adapter = adapters(layout, Trained(), masked=False)[0]
    write_peft(tmp_path, layout, 1.0, adapter, None)
    theirs: Any = PeftModel.from_pretrained(copy.deepcopy(base.model), tmp_path).base_model.model
    found = [name for name, module in theirs.named_modules() if isinstance(module, LoraLayer)]
    assert found == [module.name for module in chosen]


@pytest.mark.parametrize("projection", [Trained(), Frozen(seed="shared")], ids=str)
def test_a_device_of_a_lower_rank_is_stored_and_exported_without_padding(
    base: Any, adapted: AdaptedModel, layout: Layout, tmp_path: Path, projection: Projection
) -> None:
    """Its `r` is its own, and lora_alpha/r the federation's scale."""
    from peft import PeftModel

    rank = 2
    saved = fleet(layout, projection, masked=False)
    saved.own[1] = own = OwnRank(layout, rank)
    wide = saved.adapters[1]
    padded = Adapter(own.trimmed("B", wide.values), None, own.trimmed("A", wide.projection))
    saved.adapters[1] = padded
    save_adapters(tmp_path / "adapters", saved, scale=ALPHA / RANK, seed=SEED)
    index = json.loads((tmp_path / "adapters" / "index.json").read_text(encoding="utf-8"))
    assert [device.get("rank") for device in index["devices"]] == [None, rank, None]
    store = read_adapters(tmp_path / "adapters")
    found, others = store.adapter(1), store.adapter(2)
    assert store.layout_of(1) == layout.of_rank(rank)
    assert torch.equal(own.widened("B", found.values), padded.values)
    assert torch.equal(own.widened("A", found.projection), padded.projection)
    assert same(others, saved.adapters[2])

    write_peft(tmp_path / "peft", store.layout_of(1), store.scale, found, None)
    theirs = PeftModel.from_pretrained(copy.deepcopy(base.model), tmp_path / "peft")
    config: Any = theirs.peft_config["default"]
    assert config.r == rank
    assert config.lora_alpha / config.r == pytest.approx(ALPHA / RANK, rel=1e-12)
    tokens = torch.randint(2, 300, (4, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        pairs = layout.pairs(padded.projection, padded.values)
        with adapted.adapters(pairs, ALPHA / RANK):
            ours = adapted.logits(adapted.hidden(tokens))
        logits = theirs(input_ids=tokens).logits
        plain = base.model(input_ids=tokens).logits
    torch.testing.assert_close(logits, ours, rtol=0, atol=1e-5)
    assert (plain - ours).abs().max() > 0.1
