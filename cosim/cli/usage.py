"""What is wrong with a command line, in the words of all other errors: what was meant, and how."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Sequence
from typing import Any, cast

from typer.core import TyperCommand, TyperGroup

from cosim.errors import UsageError
from cosim.scenario.reading.one_line import shorten
from cosim.spelling import nearest

_SET = "--set"
_NUMBER_OF_LETTERS = 2
# What a command is asked for that the environment says, and not an option.
_THREADS = {"threads", "num-threads", "nthreads", "cores", "cpus", "num-workers"}
_KINDS = {"int": "an integer", "float": "a number"}
_BOUNDS = {"ge": "≥", "le": "≤"}
# A line of a docstring that ends within a paragraph.
_WITHIN = re.compile(r"(?<!\n)\n(?!\n)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][\w.]*=")


class Command(TyperCommand):
    """A command knows what its unknown options were meant to be."""

    def __init__(self, *args: Any, help: str | None = None, **kwargs: Any) -> None:
        """The command, whose help breaks its lines at the terminal's width alone."""
        super().__init__(*args, help=None if help is None else _WITHIN.sub(" ", help), **kwargs)

    def get_params(self, ctx: Any) -> list[Any]:
        """Every parameter, the help's own among them."""
        return _without_flags_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses a command's words; raises UsageError for an option or a word that it lacks."""
        arguments = list(args)
        try:
            return list(super().parse_args(ctx, args))
        except Exception as refusal:
            option = getattr(refusal, "option_name", None)
            options = [name for opt in self.get_params(ctx) for name in opt.opts]
            options = [name for name in options if name.startswith("--")]
            if type(refusal).__name__ == "NoSuchOption" and isinstance(option, str):
                raise UsageError(self._unknown(option, arguments, options)) from None
            if (words := _bad_value(refusal)) is not None:
                raise UsageError(words) from None
            flags = {name for opt in self.params if getattr(opt, "is_flag", 0) for name in opt.opts}
            word = _assignment(arguments, flags) if _SET in options else None
            if type(refusal).__name__ == "UsageError" and word is not None:
                raise UsageError(
                    f"{self.name}: '{word}' is no file; did you mean {_SET} {word}?"
                ) from None
            raise

    def _unknown(self, option: str, arguments: Sequence[str], options: Sequence[str]) -> str:
        word, value = option.lstrip("-"), _value_of(option, arguments)
        if word.replace("_", "-") in _THREADS and _SET in options:
            count = value if value.isdecimal() else "1"
            meant = f"OMP_NUM_THREADS={count} cosim {self.name} …"
            return f"{option} is no option of {self.name}; the environment says it: {meant}"
        # Without the hyphens, in which all options are alike.
        names = {name.lstrip("-"): name for name in options}
        near = nearest(word, names) if len(word) >= _NUMBER_OF_LETTERS else None
        path = None
        if _SET in options:
            from cosim.scenario.key_paths import meant_path

            path = meant_path(word, exactly=near is not None)
        guess = f"{_SET} {path}={value}" if path is not None else names.get(near or "")
        hint = f"; did you mean {guess}?" if guess is not None else ""
        return f"{option} is no option of {self.name}{hint} (one of {', '.join(options)})"


class CommandGroup(TyperGroup):
    """A command group holds the commands, one of which was forgotten where a file comes first."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Every parameter, the help's own among them."""
        return _without_flags_types(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command of a word; raises UsageError for a file where a command belongs."""
        if args and args[0].endswith((".yaml", ".yml")):
            raise UsageError(f"'{args[0]}' is no command; did you mean: cosim run {args[0]}?")
        return super().resolve_command(ctx, args)


def _without_flags_types(params: Sequence[Any]) -> list[Any]:
    """Parameters of which the flags, in the help, ask for no value."""
    for param in params:
        if getattr(param, "is_flag", False):
            param.display_type_rich = lambda ctx: None
    return list(params)


def _bad_value(refusal: Exception) -> str | None:
    """The option, the value and what was expected, of a value that its option does not take."""
    if type(refusal).__name__ == "BadOptionUsage":
        return f"{getattr(refusal, 'option_name', 'an option')}: expected a value, got none"
    cause, param = refusal.__cause__, getattr(refusal, "param", None)
    if param is None or type(cause).__name__ != "ValidationError":
        return None
    error = cast("Any", cause).errors()[0]
    kind, limits = error["type"].partition("_")[0], error.get("ctx", {})
    bounds = [f"{sign} {limits[name]:g}" for name, sign in _BOUNDS.items() if name in limits]
    if kind not in _KINDS and not bounds:
        return None
    expected = " ".join([_KINDS.get(kind, "a number"), *bounds])
    option = max(param.opts, key=len)
    return f"{option}: expected {expected}, got '{shorten(str(error['input']))}'"


def _value_of(option: str, arguments: Sequence[str]) -> str:
    """What was written for an option: after '=', or the next word."""
    for number, word in enumerate(arguments):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option and number + 1 < len(arguments):
            following = arguments[number + 1]
            return "VALUE" if following.startswith("--") else following
    return "VALUE"


def _assignment(arguments: Sequence[str], flags: Container[str]) -> str | None:
    """The first word, no option's value and no file, that assigns one as `--set` takes it."""
    for before, word in zip(["", *arguments], arguments, strict=False):
        if (
            _ASSIGNMENT.match(word)
            and not os.path.exists(word)
            and (before in flags or not before.startswith("-"))
        ):
            return word
    return None
