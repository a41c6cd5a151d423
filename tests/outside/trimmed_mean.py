"""A method of one's own, in one file: neighbours agree on a mean without its extremes.

    method: path:trimmed_mean.py

`cosim methods --check path:trimmed_mean.py` tries it on a tiny model.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from cosim.methods import LORA, Aggregation, DeviceState, Heard, Layout, Mixing, Workload


class TrimmedMean(Aggregation):
    """The mean of each value over the devices, but for the largest and the smallest of them.

    x̄_i = 1/(m − 2t)·Σ x_ij over all j but the t largest and the t smallest x_ij, of m messages, the
    device's own among them (Yin et al., ICML 2018, arXiv 1803.01498). Where m ≤ 2t as many are left
    out as leave one or two.
    """

    name: Literal["trimmed_mean"] = "trimmed_mean"
    trim: int = Field(1, ge=0, le=1000, description="t, messages left out at each end")

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """B and A of all who heard the same are the same, and computed once."""
        B, A = at.shared(
            lambda: (
                self.trimmed([part.message.values for part in heard]),
                self.trimmed([part.message.projection for part in heard]),
            )
        )
        return own.with_adapter(values=B, projection=A)

    def trimmed(self, vectors: Sequence[Tensor]) -> Tensor:
        """x̄ (n,) of several x (n,)."""
        out = min(self.trim, (len(vectors) - 1) // 2)
        return torch.stack(list(vectors)).sort(dim=0).values[out : len(vectors) - out].mean(dim=0)

    def work(self, sizes: Sequence[int], layout: Layout) -> Workload:
        """A sort of m numbers takes about m·log2 m comparisons, and the mean m additions."""
        messages = len(sizes)
        return Workload.of_flop(float(sum(sizes)) * (messages.bit_length() + 1))


METHOD = LORA.with_(
    name="trimmed_mean",
    reference="Yin et al., Byzantine-robust distributed learning, arXiv 1803.01498",
    topology="complete",
    aggregation=TrimmedMean(),
)
