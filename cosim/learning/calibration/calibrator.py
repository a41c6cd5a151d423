"""Calibration: the base model reads a small batch of a device's rows before its first round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosim.host.phases import Phase, Phases
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.target_modules import weight_of
from cosim.learning.calibration.prompt_features import PromptReader
from cosim.learning.calibration.spectra_on_disk import SpectraOnDisk
from cosim.learning.calibration.spectrum import (
    Inputs,
    UnfitError,
    singular_values,
    spectral_entropy,
    spectrum_flop,
    triangle,
)
from cosim.learning.costs.flop import Work
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import pack, reading
from cosim.learning.threads import one_thread_each
from cosim.methods.calibration import Calibration, Need
from cosim.methods.layout import Layout, shared_inputs
from cosim.methods.workload import Workload

# What may be kept of the weights for the devices that follow.
_TRIANGLES_BYTES = 256 * 2**20
# Spectra that cost less are found again in no time.
_KEPT_FLOP = 10**9
# Devices calibrated side by side: each holds one block's activations, a training pass all blocks'.
_AT_ONCE = 4


class Calibrator:
    """The calibrator reads a device's rows with the base model; a result depends on them alone.

    phases: the stopwatch that tells its spectra from its reading, and a learner's work besides.
    """

    def __init__(
        self,
        model: AdaptedModel,
        layout: Layout,
        needs: frozenset[Need],
        reader: PromptReader,
        work: Work,
        weights_sha256: str,
    ) -> None:
        self.phases = Phases()
        self.model, self.layout, self.work, self.reader = model, layout, work, reader
        about = [str(reader.device), str(next(model.model.parameters()).dtype), str(model.lean)]
        about += [module.name for module in layout.modules]
        self._on_disk = SpectraOnDisk(weights_sha256, about)
        self._needs_features, self._needs_inputs = Need.FEATURES in needs, Need.INPUTS in needs
        # As eq. 20 is printed, the spectrum is W0's own: the same for every task.
        self._printed = Need.ENTROPIES_OF_WEIGHTS in needs
        self._needs_entropies = self._printed or Need.ENTROPIES in needs
        self._shared = shared_inputs(layout.modules)
        self._of_weights: NDArray[np.float64] | None = None
        sizes = [m.in_features**2 * 4 for m in layout.modules if m.out_features > m.in_features]
        self._triangles: dict[int, Tensor] | None = {} if sum(sizes) <= _TRIANGLES_BYTES else None
        self._lock = Lock()

    def workload(self, rows: Sequence[Encoded]) -> Workload:
        """One forward pass over the rows, and the spectra; nothing is trained."""
        flop = self.work.reading_flop(rows)
        if self._needs_entropies:
            flop += self._spectra_flop(rows)
        return Workload(flop=flop, passes=1, steps=0, samples=0, trained=0)

    def _spectra_flop(self, rows: Sequence[Encoded]) -> int:
        tokens, flop = sum(row.tokens for row in rows), 0
        for number, module in enumerate(self.layout.modules):
            inputs = tokens if self._shared[number] == number else 0
            size = (module.out_features, module.in_features)
            flop += spectrum_flop(*size, None if self._printed else inputs)
        return flop

    def calibrate_all(self, rows_of: Sequence[Sequence[Encoded]]) -> list[Calibration]:
        """The parts that the recipe asks for, from one pass over each device's rows, some of them
        side by side; the same values as alone.

        Fewer tokens than features, W0 of less than full rank and inputs that are all zero have an
        entropy like any others; what is not finite has none, and is the calibration's fault.
        """
        # The padded pass sets hooks on the one model that all of them read.
        alone = not self.model.lean or self.reader.device.type != "cpu"
        at_once = 1 if alone else _AT_ONCE
        with self.phases.during(Phase.CALIBRATION), one_thread_each(at_once) as run:
            if self._needs_features:
                prompts = [[row.prompt for row in rows] for rows in rows_of]
                passes = self.reader.passes(prompts)
                # The largest first: whoever reads the last one keeps the others waiting least.
                run(self.reader.read, sorted(passes, key=lambda part: -sum(map(len, part))))
            return run(self._attempt, rows_of)

    @torch.no_grad()
    def _attempt(self, rows: Sequence[Encoded]) -> Calibration:
        try:
            return self._calibrated(rows)
        except UnfitError as error:
            return Calibration(fault=str(error))

    def _calibrated(self, rows: Sequence[Encoded]) -> Calibration:
        features = entropies = inputs = None
        if self._needs_features:
            features = self.reader.features([row.prompt for row in rows]).mean(0)
            if non_finite := [n for n, h in enumerate(features) if not bool(h.isfinite().all())]:
                block = self.reader.blocks[non_finite[0]]
                raise UnfitError(f"what block {block} of the base model reads is not finite")
        computed = self._needs_entropies and not self._printed
        cacheable = computed and self._spectra_flop(rows) >= _KEPT_FLOP
        entropies = self._on_disk.entropies(rows) if cacheable else None
        computed &= entropies is None
        if self._needs_inputs or computed:
            spectra = _Spectra(
                self._shared,
                [module.name for module in self.layout.modules],
                entropies=computed,
                triangles=self._triangles,
                lock=self._lock,
            )
            device = next(self.model.model.parameters()).device
            see = self.phases.aside(Phase.SPECTRA, spectra.see)
            self.model.walk(pack([[reading(row) for row in rows]], device), see)
            inputs = torch.cat(spectra.means).float() if self._needs_inputs else None
            if computed:
                entropies = np.array(spectra.entropies)
                if cacheable:
                    self._on_disk.keep(rows, entropies)
        if self._needs_entropies and self._printed:
            entropies = self.phases.aside(Phase.SPECTRA, self._entropies_of_weights)()
        return Calibration(entropies, features, inputs)

    def _entropies_of_weights(self) -> NDArray[np.float64]:
        if self._of_weights is None:
            modules = [self.model.model.get_submodule(m.name) for m in self.layout.modules]
            names = [module.name for module in self.layout.modules]
            entropies = [
                _entropy(name, weight_of(module.base))
                for name, module in zip(names, modules, strict=True)
            ]
            self._of_weights = np.array(entropies)
        return self._of_weights


def _entropy(name: str, matrix: Tensor) -> float:
    """H of a matrix's singular values; raises UnfitError with the module's name."""
    try:
        return spectral_entropy(singular_values(matrix).cpu())
    except UnfitError as error:
        raise UnfitError(f"the spectrum of {name} {error}") from error


class _Spectra:
    """Mean input and spectral entropy of each module, taken while the pass goes by.

    Modules may come in any order, which is the architecture's own. Nothing is kept of a module's
    inputs but for its siblings, which read the same. triangles: R of the long weights by module,
    for all devices; filled here, under the lock. UnfitError names the module whose inputs or
    spectrum are not finite.
    """

    def __init__(
        self,
        shared: Sequence[int],
        names: Sequence[str],
        *,
        entropies: bool,
        triangles: dict[int, Tensor] | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._means: dict[int, Tensor] = {}
        self._entropies: dict[int, float] = {}
        self._shared, self._names = shared, names
        self._computes_entropies = entropies
        self._triangles, self._lock = triangles, lock or nullcontext()
        # By the number that siblings share: what the last of them read, and its Inputs.
        self._inputs_of: dict[int, tuple[Tensor, Inputs]] = {}
        self._awaited = Counter(shared)

    @property
    def means(self) -> list[Tensor]:
        """Mean inputs by module's number."""
        return [self._means[number] for number in range(len(self._names))]

    @property
    def entropies(self) -> list[float]:
        """Entropies by module's number."""
        return [self._entropies[number] for number in range(len(self._names))]

    def see(self, number: int, weight: Tensor, x: Tensor) -> None:
        """Called before each module once, in the order of the pass."""
        inputs = self._inputs(number, x)
        self._means[number] = inputs.mean.cpu()
        if self._computes_entropies:
            product = inputs.product(self._factor(number, weight))
            self._entropies[number] = _entropy(self._names[number], product)

    def _inputs(self, number: int, x: Tensor) -> Inputs:
        """Of what a module reads, found once for all siblings; by name alone they are only likely
        to read the same."""
        key = self._shared[number]
        self._awaited[key] -= 1
        inputs = self._inputs_of.pop(key, None)
        if inputs is None or not (inputs[0] is x or torch.equal(inputs[0], x)):
            if not bool(x.isfinite().all()):
                raise UnfitError(f"the inputs of {self._names[number]} are not finite")
            inputs = (x, Inputs(x))
        if self._awaited[key]:
            self._inputs_of[key] = inputs
        return inputs[1]

    def _factor(self, number: int, weight: Tensor) -> Tensor:
        """What has the singular values of W0 against any C: R of a long W0, or W0 itself."""
        if self._triangles is None or weight.shape[0] <= weight.shape[1]:
            return weight
        with self._lock:  # whoever comes second has it for nothing
            if number not in self._triangles:
                self._triangles[number] = triangle(weight)
            return self._triangles[number]
