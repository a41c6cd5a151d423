"""What the words of a recipe's parts mean: each question knows every word, or refuses it.

Whoever decides something by a part asks here, or goes through all of its words with `match` and
ends with `unplayed`: a comparison with one word would silently take a new one for the others.
"""

from __future__ import annotations

from cosim.methods.parts import (
    Aggregation,
    Composition,
    Data,
    Expansion,
    LiteralPoint,
    Projection,
    Schedule,
    unplayed,
)


def trains_projection(projection: Projection) -> bool:
    """Whether A is trained, sent and averaged with B."""
    match projection:
        case "trainable":
            return True
        case "frozen_own_seed" | "frozen_shared_seed" | "none":
            return False
        case _:
            unplayed("projection", projection)


def has_own_projection(projection: Projection) -> bool:
    """Whether every device draws an A of its own, whose seed its receivers are told."""
    match projection:
        case "frozen_own_seed":
            return True
        case "trainable" | "frozen_shared_seed" | "none":
            return False
        case _:
            unplayed("projection", projection)


def has_common_projection(projection: Projection) -> bool:
    """Whether all devices keep one frozen A."""
    match projection:
        case "frozen_shared_seed":
            return True
        case "trainable" | "frozen_own_seed" | "none":
            return False
        case _:
            unplayed("projection", projection)


def is_masked(expansion: Expansion) -> bool:
    """Whether a device trains and sends a part of B alone."""
    match expansion:
        case "gradient_mask" | "entropy_mask" | "magnitude_mask":
            return True
        case "dense" | "every_parameter":
            return False
        case _:
            unplayed("expansion", expansion)


def measures_entropies(expansion: Expansion) -> bool:
    """Whether densities come from the spectral entropies of a calibration."""
    match expansion:
        case "entropy_mask":
            return True
        case "gradient_mask" | "magnitude_mask" | "dense" | "every_parameter":
            return False
        case _:
            unplayed("expansion", expansion)


def warms_up(expansion: Expansion) -> bool:
    """Whether all of B is trained for a round before a mask is chosen."""
    match expansion:
        case "magnitude_mask":
            return True
        case "gradient_mask" | "entropy_mask" | "dense" | "every_parameter":
            return False
        case _:
            unplayed("expansion", expansion)


def trains_every_parameter(expansion: Expansion) -> bool:
    """Whether the base model's own parameters are trained, and no adapter."""
    match expansion:
        case "every_parameter":
            return True
        case "gradient_mask" | "entropy_mask" | "magnitude_mask" | "dense":
            return False
        case _:
            unplayed("expansion", expansion)


def exchanges(aggregation: Aggregation) -> bool:
    """Whether anything is made of what others send."""
    match aggregation:
        case "mean" | "support_normalised" | "stacked":
            return True
        case "none":
            return False
        case _:
            unplayed("aggregation", aggregation)


def averages(aggregation: Aggregation) -> bool:
    """Whether what arrives is averaged with what the device has."""
    match aggregation:
        case "mean" | "support_normalised":
            return True
        case "none" | "stacked":
            return False
        case _:
            unplayed("aggregation", aggregation)


def keeps_experts(aggregation: Aggregation) -> bool:
    """Whether a receiver keeps the experts of others beside its own."""
    match aggregation:
        case "support_normalised" | "stacked":
            return True
        case "none" | "mean":
            return False
        case _:
            unplayed("aggregation", aggregation)


def stacks(aggregation: Aggregation) -> bool:
    """Whether experts are kept as they arrive, and nothing is averaged."""
    match aggregation:
        case "stacked":
            return True
        case "none" | "mean" | "support_normalised":
            return False
        case _:
            unplayed("aggregation", aggregation)


def reads_back(aggregation: Aggregation) -> bool:
    """Whether every contributor's expert is read out of an average."""
    match aggregation:
        case "support_normalised":
            return True
        case "none" | "mean" | "stacked":
            return False
        case _:
            unplayed("aggregation", aggregation)


def asks_experts(composition: Composition) -> bool:
    """Whether others' experts answer too, and not a device's own adapter alone."""
    match composition:
        case "oracle" | "gate" | "uniform" | "literal":
            return True
        case "single":
            return False
        case _:
            unplayed("composition", composition)


def asks_together(composition: Composition) -> bool:
    """Whether several experts answer one question side by side, whatever its task."""
    match composition:
        case "gate" | "uniform" | "literal":
            return True
        case "single" | "oracle":
            return False
        case _:
            unplayed("composition", composition)


def has_gate(composition: Composition) -> bool:
    """Whether a gate weighs the experts by the sequence."""
    match composition:
        case "gate":
            return True
        case "single" | "oracle" | "uniform" | "literal":
            return False
        case _:
            unplayed("composition", composition)


def lies_by_task(data: Data) -> bool:
    """Whether a task has one expert, which learns from all of its devices' rows."""
    match data:
        case "task":
            return True
        case "own" | "pooled":
            return False
        case _:
            unplayed("data", data)


def has_rounds_in_step(schedule: Schedule) -> bool:
    """Whether all devices end a round before any begins the next."""
    match schedule:
        case "synchronous":
            return True
        case "cluster" | "asynchronous":
            return False
        case _:
            unplayed("schedule", schedule)


def is_printed(point: LiteralPoint) -> str:
    """What a point of arXiv 2602.20492 is about, for those that can be taken as printed."""
    match point:
        case "projection" | "refinement":
            return "projection"
        case "spectrum" | "density":
            return "densities"
        case "mask":
            return "mask"
        case "weights" | "readback":
            return "aggregation"
        case _:
            unplayed("literal", point)
