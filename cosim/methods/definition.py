"""The class of a part against its slot: names that are nearly right, and names of another kind."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from pydantic import BaseModel

from cosim.spelling import nearest

# A helper may be called much like what a slot asks: `mixed` beside `mix`.
_CUTOFF = 0.8
# What is asked may well be None.
_NOTHING = object()


def slot_of(kind: type) -> type | None:
    """The class of the slot that a part's class is of; None of what is itself no more than that."""
    slot = next((base for base in reversed(kind.__mro__) if "slot" in vars(base)), None)
    return None if slot is kind else slot


def asked_by(slot: type) -> list[str]:
    """The names that a slot has of its own: what a part is asked, and what it says of itself."""
    return [name for name in dir(slot) if name[0] != "_" and not hasattr(BaseModel, name)]


def likely(name: str, slot: type) -> str | None:
    """The name that a slot asks and that was probably meant."""
    return nearest(name, asked_by(slot), cutoff=_CUTOFF)


def fault_of(kind: type[BaseModel], slot: type) -> str | None:
    """What a part's class defines that its slot would never look at; None where nothing is so."""
    for name, value in _defined(kind):
        asked = _inherited(kind, name)
        called = asked is _NOTHING and name in _called_in(kind)
        if asked is _NOTHING and not called and (near := likely(name, slot)) is not None:
            return (
                f"slot {vars(slot)['slot']} has no `{name}`; did you mean '{near}'? (what the part "
                f"alone calls may be `_{name}`)"
            )
        if asked is not _NOTHING and (problem := _other_kind(name, value, asked)) is not None:
            return f"`{name}` {problem}"
    fields = (name for name in inspect.get_annotations(kind) if name in kind.model_fields)
    for name in fields:
        asked = _inherited(kind, name)
        if isinstance(asked, property | FunctionType):
            what = "property" if isinstance(asked, property) else "method"
            return (
                f"`{name}` is a {what} in its slot, and a setting does not take its place: call "
                f"the setting otherwise, and answer with it in `{name}`"
            )
    return None


def _defined(kind: type) -> Iterator[tuple[str, Any]]:
    """What a class has of its own besides settings, by its public name."""
    for name, value in vars(kind).items():
        if not name.startswith(("_", "model_")) and not isinstance(value, type):
            yield name, value


def _called_in(kind: type) -> set[str]:
    """The names that a class's own code looks up: what it asks itself is no misspelt hook."""
    found = (getattr(value, "fget", value) for value in vars(kind).values())
    plain = (getattr(value, "__func__", value) for value in found)
    return {name for f in plain if isinstance(f, FunctionType) for name in _names(f.__code__)}


def _names(code: CodeType) -> set[str]:
    """The names in a function, those of the functions in it too."""
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _inherited(kind: type, name: str) -> Any:
    """What the bases of a class have by a name, as it is written there, or `_NOTHING`."""
    found = (vars(base)[name] for base in kind.__mro__[1:] if name in vars(base))
    return next(found, _NOTHING)


def _other_kind(name: str, value: Any, asked: Any) -> str | None:
    """Why what a part has by a name is not what is asked by it."""
    if isinstance(asked, property) and isinstance(value, FunctionType):
        return "is a property in its slot: write @property above it"
    if isinstance(asked, FunctionType) and not callable(value):
        if isinstance(value, staticmethod | classmethod):
            return None
        return f"is a method in its slot: write def {name}(self, …) without @property"
    plain = not callable(asked) and not hasattr(asked, "__get__")
    if plain and isinstance(value, FunctionType):
        return f"is a value in its slot, {asked!r} unless a part says otherwise: write {name} = …"
    return None
