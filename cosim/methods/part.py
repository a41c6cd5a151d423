"""A part of a method: a frozen choice, one class in one file, that a scenario names by a word."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict

from cosim.errors import MethodError
from cosim.methods.calibration import Need
from cosim.methods.definition import fault_of, slot_of

# Every part by its slot and its word; a class that names itself enters when it is defined.
PARTS: dict[str, dict[str, type[Part]]] = {}
# The parts of method files, by module, slot and word: two files may use one word for two parts,
# and what a word means hangs on the file that is meant, and not on which were read before.
PARTS_OF_FILES: dict[str, dict[str, dict[str, type[Part]]]] = {}
_meant: ContextVar[str | None] = ContextVar("_meant", default=None)


@contextmanager
def within(module: str | None) -> Iterator[None]:
    """Inside the block words mean the parts of this module of a method file, too."""
    token = _meant.set(module)
    try:
        yield
    finally:
        _meant.reset(token)


def parts_of(slot: str, module: str | None = None) -> dict[str, type[Part]]:
    """The parts of a slot by their words; module: of the method file that is meant, if not the one
    that the caller is `within`."""
    outside = PARTS_OF_FILES.get(module or _meant.get() or "", {})
    return {**PARTS.get(slot, {}), **outside.get(slot, {})}


def _built_in() -> Iterator[str]:
    """The package's own modules."""
    package = __name__.rpartition(".")[0]
    return (name for name in sys.modules if name.startswith(f"{package}."))


class Choice(BaseModel):
    """A choice is frozen and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(Choice):
    """A part is what a method does in one slot: its settings are the fields, its word is the first
    of them.

    A class that declares `name: Literal["word"] = "word"` is the part of that word; one without is
    a slot, or a part's base. What a part draws comes from the stream that it is handed, and what it
    remembers lies in the device's state: an object of its class holds settings alone.
    """

    slot: ClassVar[str]
    # The field that holds the word: `name`, but for a topology, whose word is its `graph`.
    key: ClassVar[str] = "name"
    # Settings by which the part is as arXiv 2602.20492 prints it.
    printed: ClassVar[dict[str, Any]] = {}
    # Whether it counts on local steps along the gradient, as SGD's are and AdamW's are not.
    needs_sgd: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        slot = slot_of(cls)
        if slot is not None and (fault := fault_of(cls, slot)) is not None:
            raise MethodError(f"{cls.__qualname__}: {fault}")
        if (word := cls.word()) is None:
            return
        rival = parts_of(cls.slot, cls.__module__).get(word)
        # Two packages from outside may use one word: whichever is read last is meant.
        if rival is not None and rival.__module__ in (cls.__module__, *_built_in()):
            place = "this file" if rival.__module__ in PARTS_OF_FILES else rival.__module__
            raise MethodError(
                f"{cls.__qualname__}: the {cls.slot} '{word}' is taken by {place}; choose another "
                "name"
            )
        if absent := cls.lacks():
            names = " and no ".join(f"`{name}`" for name in absent)
            raise MethodError(
                f"{cls.__qualname__}: the {cls.slot} '{word}' has no {names}, which its slot asks"
            )
        PARTS_OF_FILES.get(cls.__module__, PARTS).setdefault(cls.slot, {})[word] = cls

    @classmethod
    def word(cls) -> str | None:
        """The word that a scenario writes for this part; None of a slot itself."""
        field = cls.model_fields.get(cls.key)
        words = get_args(field.annotation) if field is not None else ()
        return str(words[0]) if len(words) == 1 else None

    @classmethod
    def lacks(cls) -> Sequence[str]:
        """The names of methods that its slot asks and that it does not have."""
        return sorted(cls.__abstractmethods__)

    @classmethod
    def settings(cls) -> Iterator[str]:
        """The names of what can be set besides the word."""
        return (name for name in cls.model_fields if name != cls.key)

    @property
    def needs(self) -> frozenset[Need]:
        """What it asks a calibration for."""
        return frozenset()

    @property
    def copies(self) -> float:
        """How often a device's memory holds on to all that it trains, by this part."""
        return 0.0

    @property
    def asks_contraction(self) -> bool:
        """Whether it must be `told` how fast devices agree before the run begins."""
        return False

    @property
    def asks_rehearsal(self) -> bool:
        """Whether ρ is to be that of what the scenario's network mixes where it plays alone, and
        not of the law of the method's topology and weights."""
        return False

    def told(self, contraction: float) -> Self:
        """The part with what follows from ρ, in [0, 1); it asks for nothing more."""
        return self

    def refuses(self, method: Any) -> str | None:
        """Why it does not fit the other parts of a method; None where it does."""
        return None

    def cautions(self, method: Any) -> str | None:
        """What a user should look twice at in a method that has the part; None: nothing."""
        return None

    def refuses_ranks(self) -> str | None:
        """Why it has no meaning where some devices have a lower rank than others; None where it
        has one."""
        return None

    def __str__(self) -> str:
        """Its word, with the settings that differ from the defaults."""
        fields = type(self).model_fields
        changed = {
            name: getattr(self, name)
            for name in self.settings()
            if getattr(self, name) != fields[name].default
        }
        settings = ", ".join(f"{name}: {value}" for name, value in changed.items())
        return f"{getattr(self, self.key)}{f' ({settings})' if settings else ''}"


def where(function: Callable[..., Any]) -> str:
    """The file and line of a function of a part."""
    code = inspect.unwrap(function).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"
