"""A field that holds one of cosim's own sections, or one that an installed package brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from cosim.scenario.by_name import by_name
from cosim.scenario.outside.entry_points import declared, named
from cosim.scenario.outside.section import OutsideSection

# Under which a field's core schema keeps what it may hold besides its own union.
_MARK = "cosim_from_outside"


class FromOutside:
    """The annotation says that a field holds one of cosim's own sections, which are a union told
    apart by their `model` as any other, or one of the entry points of a group."""

    def __init__(self, base: type[OutsideSection], built_in: Any) -> None:
        self.base = base
        tagged = Annotated[built_in, Field(discriminator="model")]
        self._union = Annotated[tagged, by_name("model", built_in)]
        self._names = tuple(section.model_fields["model"].default for section in get_args(built_in))

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._read,
            handler.generate_schema(self._union),
            metadata={_MARK: self},
            serialization=core_schema.wrap_serializer_function_ser_schema(
                _written, info_arg=True, schema=handler.generate_schema(self._union)
            ),
        )

    def names(self) -> list[str]:
        """The names that installed packages declare."""
        return list(declared(self.base.group))

    def section(self, value: object) -> type[OutsideSection] | None:
        """The section from outside that a value of a scenario names; None where it names one of
        cosim's own, or none.

        Raises OutsideError for one that cannot be used.
        """
        word = value.get("model") if isinstance(value, Mapping) else value
        if not isinstance(word, str):
            return None
        entry_point = named(self.base.group, word, self._names)
        return None if entry_point is None else self.base.loaded(entry_point)

    def _read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, self.base):
            if self.section(value.model) is not type(value):
                raise ValueError(
                    f"{type(value).__name__} is no entry point of {self.base.group}, so that the "
                    "scenario could not be read again"
                )
            return value
        section = self.section(value)
        if section is None:
            return handler(value)
        return section.model_validate({"model": value} if isinstance(value, str) else value)


def from_outside(schema: Mapping[str, Any] | None) -> FromOutside | None:
    """What a field may hold besides the union of its core schema; None of any other field."""
    while schema is not None:
        mark = (schema.get("metadata") or {}).get(_MARK)
        if isinstance(mark, FromOutside):
            return mark
        schema = schema.get("schema")
    return None


def _written(
    section: Any,
    handler: core_schema.SerializerFunctionWrapHandler,
    info: core_schema.SerializationInfo,
) -> Any:
    if isinstance(section, OutsideSection):
        return section.model_dump(mode=info.mode)
    return handler(section)
