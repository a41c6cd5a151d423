"""`cosim explain`: a key's part of the scenario's reference, or a method's parts."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cosim.errors import UsageError

if TYPE_CHECKING:
    from cosim.methods.method import Method
    from cosim.methods.part import Part
    from cosim.scenario.reference import Key, Variant

_WIDEST, _NARROWEST = 100, 30


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY|METHOD]", help="a key such as radio.power, a method, or path:<file>"
        ),
    ] = None,
) -> None:
    """Explain a key of a scenario or a method; without one, list the sections."""
    from cosim.methods import METHODS
    from cosim.methods.outside import FILE, installed

    if what is None:
        lines = _sections()
    elif what in METHODS or what.startswith(FILE) or what in {p.name for p in installed()}:
        lines = _method(what)
    else:
        lines = _places(what)
    for line, hanging in lines:
        typer.echo(_wrapped(line, hanging))


# A line, and how far the lines that it is wrapped into are indented.
Line: TypeAlias = tuple[str, int]


def _wrapped(line: str, hanging: int) -> str:
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    return "\n".join(
        textwrap.wrap(
            line,
            max(width, hanging + _NARROWEST),
            subsequent_indent=" " * hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _sections() -> Iterator[Line]:
    from cosim.scenario.reference import sections

    widest = max(len(key.name) for key in sections())
    for key in sections():
        yield f"{key.name:{widest}}  {key.meaning}", widest + 2
    yield "", 0
    yield "cosim explain radio.power explains a key, cosim explain proposed a method", 0


def _method(name: str) -> Iterator[Line]:
    from cosim.methods.words import method_words
    from cosim.scenario.method import read_method
    from cosim.scenario.reference import of_part

    recipe = read_method(name)
    yield recipe.name, 0
    yield f"  {recipe.reference}", 4
    yield "", 0
    for part, choice in method_words(recipe):
        yield f"  {part}: {choice}", 4
    for kind in _defined_for(recipe):
        yield "", 0
        yield f"method.{kind.slot}, {kind.key}: {kind.word()}", 0
        yield from _variant(of_part(kind), "")
    yield "", 0
    yield "cosim explain method lists what a scenario may write for these parts", 0


def _defined_for(recipe: Method) -> Iterator[type[Part]]:
    """The parts that a method's file defines, or those of a package that its method has."""
    from cosim.methods.outside import module_of
    from cosim.methods.part import PARTS_OF_FILES

    if (module := module_of(recipe.origin)) is not None:
        for kinds in PARTS_OF_FILES[module].values():
            yield from kinds.values()
    elif recipe.origin is not None:
        parts = (type(part) for part in recipe.parts())
        yield from (kind for kind in parts if not kind.__module__.startswith("cosim."))


def _places(path: str) -> Iterator[Line]:
    from cosim.methods import METHODS
    from cosim.scenario.reference import Variant, explained, nearest_name

    places = explained(path)
    if not places:
        near = nearest_name(path, METHODS)
        hint = f"did you mean '{near}'?" if near else "cosim explain lists the sections"
        if path.endswith(".py"):
            hint = f"a method's file is named path:{path}"
        elif path.startswith("method."):
            hint += " (cosim explain path:FILE tells the settings of a method's file)"
        raise UsageError(f"explain: '{path}' is neither a key of a scenario nor a method; {hint}")
    for number, place in enumerate(places):
        if number:
            yield "", 0
        if isinstance(place, Variant):
            yield path, 0
            yield from _variant(place, "")
        else:
            yield from _key(place)


def _key(key: Key) -> Iterator[Line]:
    """A key, and below it the mappings that it takes."""
    yield key.name + (f", of {key.word}" if key.word else ""), 0
    for line in (key.meaning, *facts(key)):
        if line:
            yield f"  {line}", 4
    for variant in key.variants:
        yield "", 0
        if variant.word:
            yield f"  {key.word_key}: {variant.word}", 4
        yield from _variant(variant, key.meaning)


def _variant(variant: Variant, context: str) -> Iterator[Line]:
    """What a mapping means, unless that was told above, and its keys."""
    if variant.meaning and variant.meaning != context:
        yield f"    {variant.meaning}", 4
    for key in variant.keys:
        yield f"    {key.path[-1]}: {key.meaning}".removesuffix(": "), 8
        yield f"      {'; '.join(facts(key))}", 8


def facts(key: Key) -> Iterator[str]:
    """What a key takes, with its range and unit; and its default, or that it is required."""
    values = [word for word in (*key.words, *key.kinds) if word != "null"]
    *most, last = values
    words = [f"{', '.join(most)} or {last}" if most else last]
    words += [key.bounds] if key.bounds else []
    words += [f"in {key.unit}"] if key.unit else []
    words += ["or null"] if "null" in key.kinds else []
    yield ", ".join(words)
    if key.default is None:
        yield "required"
    elif key.default:
        yield f"default {key.default}"
