"""The base of every section that an installed package may bring."""

from __future__ import annotations

import inspect
from typing import ClassVar, Self, get_args

from cosim.scenario.outside.entry_points import Declared, named
from cosim.scenario.section import Section


class OutsideSection(Section):
    """A section from outside is a mapping in the YAML whose meaning an installed package brings.

    A class declares `model: Literal["its_word"] = "its_word"`, which is also the name of its entry
    point, and its settings as pydantic fields. It is frozen: what it draws comes from the generator
    that it is handed, and the same questions have the same answers.
    """

    group: ClassVar[str]
    model: str

    def __str__(self) -> str:
        """As an error calls it: `two_ray of my-air 1.0`."""
        return str(named(self.group, self.model) or self.model)

    @classmethod
    def loaded(cls, entry_point: Declared) -> type[Self]:
        """The section that an entry point names; raises OutsideError where it is none of this
        kind."""
        section = entry_point.load()
        if not (isinstance(section, type) and issubclass(section, cls)):
            raise entry_point.error(f"is no subclass of cosim.{cls.__name__}")
        if inspect.isabstract(section):
            methods = ", ".join(sorted(section.__abstractmethods__))
            raise entry_point.error(f"lacks {methods}, which cosim.{cls.__name__} asks for")
        field, name = section.model_fields["model"], entry_point.name
        if get_args(field.annotation) != (name,) or field.default != name:
            raise entry_point.error(
                f'is called otherwise inside: it needs model: Literal["{name}"] = "{name}"'
            )
        return section
