"""What the lean passes are held to: the transformers model, one row at a time."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cosim.learning.adapters.grouped import GroupedParameter
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.packed_llama.model import LeanModel
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import PackedRows, pack, reading
from cosim.methods.layout import Layout

SCALE = 1.5
RANK = 4
# Float32 sums of some hundred terms in another order, through two blocks and back.
FLOAT32 = 1e-4

Groups = Sequence[Sequence[Encoded]]


def rows(seed: int, count: int, longest: int = 40) -> list[Encoded]:
    random = np.random.default_rng(seed)
    return [
        Encoded(
            tuple(random.integers(5, 200, random.integers(1, longest)).tolist()),
            tuple(random.integers(5, 200, random.integers(1, 5)).tolist()),
        )
        for _ in range(count)
    ]


UNEQUAL: Groups = [rows(1, 3), [], rows(2, 1), rows(3, 7, longest=9), []]


def both(model: Any, wanted: str | Sequence[str] = "all-linear") -> tuple[AdaptedModel, LeanModel]:
    adapted = AdaptedModel(copy.deepcopy(model), wanted, lean=False)
    lean = LeanModel.of(adapted.model, adapted.modules)
    assert lean is not None
    return adapted, lean


def packed(groups: Groups) -> PackedRows:
    return pack([[reading(row) for row in group] for group in groups])


def factors(
    adapted: AdaptedModel, groups: int, *, projected: bool = True, seed: int = 3
) -> tuple[GroupedParameter, GroupedParameter]:
    layout = Layout(adapted.modules, RANK)
    random = torch.Generator().manual_seed(seed)
    dtype = adapted.model.dtype
    A, B = (
        GroupedParameter(groups, shapes, dtype=dtype, device=torch.device("cpu"), trained=trained)
        for shapes, trained in (
            (layout.projection_shapes, projected),
            (layout.expansion_shapes, True),
        )
    )
    for factor, spread in ((A, 0.15), (B, 0.1)):
        factor.buffer.copy_(spread * torch.randn(factor.buffer.shape, generator=random))
    return A, B


def one_by_one(
    adapted: AdaptedModel, groups: Groups, pairs: Sequence[tuple[Tensor, Tensor]] | None
) -> Tensor:
    """The scored states of each row read alone, without padding, by the transformers model."""
    found = []
    for number, group in enumerate(groups):
        own = pairs and [(A[number : number + 1], B[number : number + 1]) for A, B in pairs]
        for row in group:
            ids = torch.tensor([(row.prompt + row.answer)[:-1]])
            with adapted.adapters(own, SCALE):
                found.append(adapted.hidden(ids)[0, len(row.prompt) - 1 :])
    return torch.cat(found)


def assert_near(found: Tensor, wanted: Tensor, relative: float = FLOAT32) -> None:
    """Equal in the size of the whole tensor."""
    assert torch.linalg.vector_norm(found - wanted) <= relative * torch.linalg.vector_norm(wanted)
