"""A base model made ready to be trained and asked as a method says, in whichever process."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import BaseModel
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.training.full import FullEvaluator, FullTrainer, FullWeights, layout_of
from cosim.learning.training.trainer import GroupTrainer, TrainingSettings
from cosim.methods.layout import Layout
from cosim.methods.method import Method
from cosim.scenario.learning import AdapterChoice, Training

Trainer = GroupTrainer | FullTrainer


@dataclass(frozen=True)
class Trainable:
    """A trainable model is a base model made ready for a method.

    layout: where the modules' values lie in flat vectors.
    model: the base model with adapted modules.
    trainer: trains groups of adapters on it.
    evaluator: scores experts on it.
    """

    layout: Layout
    model: AdaptedModel
    trainer: Trainer
    evaluator: Evaluator


def trainable(
    base: BaseModel, method: Method, adapter: AdapterChoice, training: Training
) -> Trainable:
    """Wraps the base model's modules; raises `BaseModelError` as `adapted_modules`."""
    layout = layout_of(method, base.model, adapter.target_modules, adapter.rank)
    model = AdaptedModel(base.model, adapter.target_modules)
    settings = TrainingSettings(
        scale=adapter.alpha / adapter.rank,
        density=adapter.density,
        learning_rate=training.learning_rate,
        optimizer=training.optimizer,
        weight_decay=training.weight_decay,
        trainable_projection=method.projection.moves,
        keeps_moments=training.moments == "kept",
        expansion=method.expansion,
    )
    if method.expansion.every_parameter:
        weights = FullWeights(model)
        evaluator = FullEvaluator(model, layout, weights)
        return Trainable(layout, model, FullTrainer(model, weights, settings), evaluator)
    return Trainable(
        layout,
        model,
        GroupTrainer(model, layout, base.dtype, settings),
        Evaluator(model, layout, base.dtype, settings.scale),
    )
