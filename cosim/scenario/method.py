"""From what a scenario says of its method to the method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, WrapValidator, create_model

from cosim.errors import MethodError
from cosim.methods import METHODS
from cosim.methods.earlier_spelling import overridden
from cosim.methods.method import Method as WholeMethod
from cosim.methods.origin import Origin
from cosim.methods.outside import (
    FILE,
    installed,
    method_of_file,
    method_of_package,
    module_of,
)
from cosim.methods.part import within
from cosim.scenario.reading.paths import expanded
from cosim.scenario.section import Section
from cosim.spelling import did_you_mean

MethodName = Annotated[str, Field(json_schema_extra={"enum": list(METHODS)})]
_NAME = "a built-in method, path:<file>, or one of an installed package"


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
    name=(MethodName, Field(description=_NAME)),
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
    try:
        method = _named(value, overrides.pop("origin", None))
        with within(module_of(method.origin)):
            return overridden(method, method.named(overrides))
    except MethodError as error:
        raise ValueError(str(error)) from error


def _validated(value: Any, handler: Callable[[Any], WholeMethod]) -> WholeMethod:
    """The method of what a scenario writes, in which words mean its file's parts, too."""
    method = method_of(value)
    origin = method.origin if isinstance(method, WholeMethod) else method.get("origin")
    if origin is not None:
        origin = Origin.model_validate(origin)
    with within(module_of(origin)):
        return handler(method)


def read_method(value: Any) -> WholeMethod:
    """The method of what a scenario writes; raises MethodError."""
    try:
        return _validated(value, WholeMethod.model_validate)
    except ValueError as error:
        raise MethodError(f"method: {error}") from error


def _named(name: str, origin: Any) -> WholeMethod:
    """A built-in method, one of a file, or one of an installed package."""
    if origin is not None:
        origin = Origin.model_validate(origin)
    sha256 = None if origin is None else origin.sha256
    path = name.removeprefix(FILE) if name.startswith(FILE) else getattr(origin, "path", None)
    if path is not None:
        return method_of_file(expanded(path), sha256)
    if origin is None and name in METHODS:
        return METHODS[name]
    point = name if origin is None else origin.entry_point
    if (method := method_of_package(point, sha256)) is not None:
        return method
    names = [*METHODS, *(point.name for point in installed())]
    hint = did_you_mean(name, names)
    if name.endswith(".py"):
        hint = f"; a file is named {FILE}{name}"
    raise MethodError(f"'{name}' is not a method{hint} (one of {', '.join(names)})")


Method = Annotated[
    WholeMethod, WrapValidator(_validated, json_schema_input_type=MethodName | MethodMapping)
]
