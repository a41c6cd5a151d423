"""What a method's file is refused for, in a sentence: pydantic's errors in the words of methods."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from pydantic import PydanticUserError, ValidationError

from cosim.errors import MethodError
from cosim.methods.definition import asked_by, likely
from cosim.methods.method import Method
from cosim.methods.part import Part, parts_of
from cosim.spelling import did_you_mean

_UNTYPED = "model-field-missing-annotation"
_LONG = 60


def words_of(error: BaseException, module: str = "") -> str:
    """An error that comes out of a method from outside, in one line; module: of its file, if it is
    one."""
    if isinstance(error, ValidationError):
        return _refusal(error, module)
    if isinstance(error, MethodError):
        return str(error)
    if isinstance(error, PydanticUserError) and error.code == _UNTYPED:
        written = re.search(r"`(\w+) = (.*)`\. All model fields", str(error), re.DOTALL)
        if written is not None:
            return _untyped(written[1], written[2].splitlines()[0])
    text = str(error.msg if isinstance(error, SyntaxError) else error)
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'it says no more'}"


def _refusal(error: ValidationError, module: str) -> str:
    """The first of what is wrong with a method's or a part's values."""
    detail = error.errors(include_url=False)[0]
    context, loc, value = detail.get("ctx", {}), detail["loc"], detail["input"]
    # Pydantic's own names for the members of a union are no words of a method's.
    loc = tuple(step for step in loc if "-" not in str(step))
    where = "".join(f"{step}: " for step in loc)
    outer = "".join(f"{step}: " for step in loc[:-1])
    if detail["type"] == "extra_forbidden":
        return f"{outer}{_unknown(error.title, [str(step) for step in loc], module)}"
    if detail["type"] == "missing":
        return (
            f"{outer}{error.title} is made without '{loc[-1]}', which has no default: give it, or "
            f"declare {loc[-1]}: … = … in the class"
        )
    if detail["type"] == "union_tag_invalid":
        words = [word.strip(" '") for word in str(context["expected_tags"]).split(",")]
        word = context["tag"]
        return f"{where}'{word}' is not one of {', '.join(words)}{did_you_mean(word, words)}"
    if detail["type"] in ("model_attributes_type", "model_type", "union_tag_not_found"):
        return (
            f"{where}expected a part, its word, or a mapping of its settings, got {_short(value)}"
        )
    if "error" in context:
        return f"{where}{context['error']}"
    message = detail["msg"]
    return f"{where}{message[0].lower()}{message[1:]}, got {_short(value)}"


def _short(value: object) -> str:
    """A value as Python writes it, or how that begins."""
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _unknown(title: str, loc: Sequence[str], module: str) -> str:
    """Of a name that nothing is called by, in what pydantic calls `title`."""
    *outer, name = loc
    if title == Method.__name__ and not outer:
        return f"a method has no slot '{name}'{did_you_mean(name, Method.model_fields)}"
    kind = parts_of(outer[0]).get(outer[-1]) if outer else _part(title, module)
    settings = list(kind.settings()) if kind is not None else []
    known = f" (it has {', '.join(settings)})" if settings else ""
    what = title if kind is None else kind.__name__
    return f"{what} has no setting '{name}'{did_you_mean(name, settings)}{known}"


def _part(name: str, module: str) -> type[Part] | None:
    """A part whose class has a name, one of this module before others; None where none has."""
    named = [kind for kind in _kinds(Part) if kind.__name__ == name]
    return max(named, key=lambda kind: kind.__module__ == module, default=None)


def _kinds(kind: type[Part]) -> Iterator[type[Part]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _kinds(inner)


def _untyped(name: str, value: str) -> str:
    """Of a value that a class gives to a name without saying whether it is a setting."""
    if name in ("name", "graph"):
        return f"a part's word needs its type: {name}: Literal[{value}] = {value}"
    kind, value = _type_name(value), value if len(value) <= _LONG else "…"
    slots = Part.__subclasses__()
    for slot in slots:
        if name not in asked_by(slot):
            continue
        if isinstance(getattr(slot, name), property):
            what = "every slot" if hasattr(Part, name) else f"slot {slot.slot}"
            return (
                f"`{name}` is a property of {what}: write {name}: ClassVar[{kind}] = {value}, or "
                "@property and a function of that name"
            )
        return f"`{name}` is a method of slot {slot.slot}: write def {name}(self, …)"
    near = next((near for slot in slots if (near := likely(name, slot)) is not None), None)
    hint = "" if near is None else f"; did you mean '{near}'?"
    return (
        f"a setting needs a type: {name}: {kind} = {value}; what is no setting needs one, too: "
        f"{name}: ClassVar[{kind}] = {value}{hint}"
    )


def _type_name(value: str) -> str:
    """The type of a value by what Python writes for it."""
    try:
        return type(ast.literal_eval(value)).__name__
    except (ValueError, SyntaxError):
        return "Any"
