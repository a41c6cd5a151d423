"""From what a scenario says of its method to the method."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model

from cosim.methods import METHODS
from cosim.methods.earlier_spelling import overridden
from cosim.methods.method import Method as WholeMethod
from cosim.scenario.section import Section
from cosim.spelling import did_you_mean

MethodName = Annotated[str, Field(json_schema_extra={"enum": list(METHODS)})]


def _optional(slot: str) -> tuple[Any, Any]:
    """A slot that may be left out."""
    field = WholeMethod.model_fields[slot]
    checked = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return (checked | None, Field(None, description=field.description))  # type: ignore[operator]


# Every slot of a method by its own name, so that a new one is known here at once.
_slots: dict[str, Any] = {
    slot: _optional(slot) for slot in WholeMethod.model_fields if slot != "name"
}
MethodMapping = create_model(
    "MethodMapping",
    __base__=Section,
    __doc__="What a scenario may write for a method: its name, and the parts that differ.",
    name=(MethodName, ...),
    **_slots,
)


def method_of(value: Any) -> Any:
    """A method's name, or a mapping with `name` and the parts that differ from the method's."""
    if isinstance(value, WholeMethod):
        return value
    overrides: dict[str, Any] = {}
    if isinstance(value, dict):
        overrides = {str(key): part for key, part in value.items()}
        value = overrides.pop("name", None)
        if value is None:
            raise ValueError(f"a method mapping needs 'name', one of {', '.join(METHODS)}")
    if not isinstance(value, str):
        raise ValueError(f"expected the name of a method or a mapping, got {value!r}")
    if value not in METHODS:
        hint = did_you_mean(value, METHODS)
        raise ValueError(f"'{value}' is not a method{hint} (one of {', '.join(METHODS)})")
    return overridden(METHODS[value], overrides)


Method = Annotated[
    WholeMethod, BeforeValidator(method_of, json_schema_input_type=MethodName | MethodMapping)
]
