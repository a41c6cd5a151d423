"""Valid data and text, made hostile: by structure, by character and by byte."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

PATHS = (
    "../../outside", "/etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/mem", "~nobody-here/x",
    "~", ".", "", "/", "a\0b", "x" * 300, "y/" * 3000, "path:../x", "path:", "path:/dev/zero",
    "path:~nobody-here/x", "path:" + "z" * 400, "jsonl:../x", "jsonl:/dev/zero", "jsonl:a\0b",
    "jsonl:" + "x" * 400, "jsonl:~nobody-here/x", "hf:../../x", "pypi:../../x==1", "pipe.fifo",
    "loop", "locked/x", "path:pipe.fifo", "jsonl:locked/x", "path:locked/x", "jsonl:loop",
)  # fmt: skip
PATTERNS = (
    "(a|aa)+$", "((a|a)*)*$", r"(.|..)+[^\w.]", "(?:(?R)a)*", "(x?){500}x{500}", "(" * 400,
    "(?i)" + "[\x01-\U0010ffff]" * 190, "((.{1,99}){1,99}){1,99}§", r"(?s)(\S|\s|.)*\1[^\s\S]",
)  # fmt: skip
TEXTS = (
    "", " ", "²", "٣", "1" * 5000, "\x1b[31mred\x1b[0m", "line\nline", "\u2028", "é" * 200, "a.b.c",
    "devices.0.count", "'", '"', "{x}", "{" * 50, "(a+)+$", "(", "[", "*", "&a", "!!python/none",
    *PATTERNS, "nan", "inf", "null", "true", "0x10", "1_000", "-", "..", "__proto__", "<b>",
    "[bold]", "%s%n", "\ud800", "\U0010ffff", "A" * 100_000, *PATHS,
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, -0.0, 0.5, 1e-9, 5e-324, 1e-320, 2.2e-308, 1e308, -1e308, math.inf, -math.inf,
    math.nan, 10**6, 10**9, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**18, 10**40, 10**99,
    -(10**99), 1e15, 1e18, 1e100, 0.1, 100_000, 1e6, 65535, 1e12,
)  # fmt: skip


def data(random: Random, whole: dict[str, Any]) -> Any:
    """A copy of nested data with a few places changed."""
    whole = copy.deepcopy(whole)
    for _ in range(random.choice((1, 1, 1, 1, 1, 1, 2, 3, 6))):
        places = list(_places(whole))
        if not places:
            break
        holder, key = random.choice(places)
        random.choice(_CHANGES)(random, holder, key, places)
    return whole


def _places(at: Any) -> Iterator[tuple[Any, Any]]:
    steps: list[Any] = []
    if isinstance(at, dict):
        steps = list(at)
    elif isinstance(at, list):
        steps = list(range(len(at)))
    for step in steps[:200]:
        yield at, step
        yield from _places(at[step])


def value(random: Random, depth: int = 0) -> Any:
    """Any value that YAML can hold."""
    kind = random.randrange(9)
    if kind < 3:
        return random.choice(NUMBERS)
    if kind < 6:
        return random.choice(TEXTS)
    if kind == 6:
        return random.choice((None, True, False))
    if depth > 2:
        return []
    if kind == 7:
        return [value(random, depth + 1) for _ in range(random.choice((0, 1, 2, 3)))]
    return {
        str(random.choice(TEXTS)): value(random, depth + 1) for _ in range(random.choice((0, 2)))
    }


def _drop(random: Random, holder: Any, key: Any, places: Any) -> None:
    del holder[key]


def _replace(random: Random, holder: Any, key: Any, places: Any) -> None:
    holder[key] = value(random)


def _number(random: Random, holder: Any, key: Any, places: Any) -> None:
    old = holder[key]
    if isinstance(old, int | float) and not isinstance(old, bool) and random.random() < 0.3:
        holder[key] = random.choice((-old, old * 1000, old / 1000, old + 1, old * 1.0))
    else:
        holder[key] = random.choice(NUMBERS)


def _text(random: Random, holder: Any, key: Any, places: Any) -> None:
    old = holder[key]
    if isinstance(old, str) and old and random.random() < 0.5:
        at = random.randrange(len(old))
        prefix, colon, rest = old.partition(":")
        holder[key] = random.choice(
            (
                old[:at] + old[at + 1 :],
                old[:at] + random.choice("xé\x07²/ ") + old[at:],
                old.upper(),
                f"{prefix}{colon}{random.choice(PATHS)}" if rest else old * 3,
            )
        )
    else:
        holder[key] = random.choice(TEXTS)


def _rename(random: Random, holder: Any, key: Any, places: Any) -> None:
    if isinstance(holder, dict):
        new = random.choice((f"{key}x", str(key)[:-1] or "k", str(random.choice(TEXTS))))
        holder[new] = holder.pop(key)


def _extra(random: Random, holder: Any, key: Any, places: Any) -> None:
    if isinstance(holder, dict):
        holder[str(random.choice((*TEXTS, *"abc", "name", "model", "mix")))] = value(random)
    else:
        holder.extend(copy.deepcopy(holder[key]) for _ in range(random.choice((1, 2, 30))))


def _swap(random: Random, holder: Any, key: Any, places: Any) -> None:
    other, there = random.choice(places)
    holder[key] = copy.deepcopy(other[there]) if there in _keys(other) else None


def _keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


def _nest(random: Random, holder: Any, key: Any, places: Any) -> None:
    deep: Any = holder[key]
    for _ in range(random.choice((1, 2, 20, 49, 60))):
        deep = [deep] if random.random() < 0.5 else {"a": deep}
    holder[key] = deep


def _many(random: Random, holder: Any, key: Any, places: Any) -> None:
    size = random.choice((50, 2000))
    if random.random() < 0.5:
        holder[key] = [copy.deepcopy(value(random, 3)) for _ in range(size)]
    else:
        holder[key] = {f"k{n}": random.choice(NUMBERS) for n in range(size)}


_CHANGES: tuple[Callable[..., None], ...] = (
    _drop, _replace, _replace, _number, _number, _number, _number, _text, _text, _rename, _extra,
    _swap, _nest, _many,
)  # fmt: skip


def emit(whole: Any, indent: int = 0) -> str:
    """Data as YAML, block style on top and flow style below."""
    if indent < 2 and isinstance(whole, dict) and whole:
        lines = []
        for key, item in whole.items():
            nested = isinstance(item, dict) and item and indent < 1
            text = "\n" + emit(item, indent + 1) if nested else f" {_flow(item)}\n"
            lines.append(f"{'  ' * indent}{_scalar(key)}:{text}")
        return "".join(lines)
    return f"{_flow(whole)}\n"


def _flow(item: Any) -> str:
    if isinstance(item, dict):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in item.items()) + "}"
    if isinstance(item, list):
        return "[" + ", ".join(map(_flow, item)) + "]"
    return _scalar(item)


def _scalar(item: Any) -> str:
    if isinstance(item, float) and not math.isfinite(item):
        return ".nan" if math.isnan(item) else f"{'-' if item < 0 else ''}.inf"
    return json.dumps(item)


LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
)
_YAML_INSERTS = (
    "&a ", "*a", "<<: *a\n", "!!python/object/apply:os.system ['touch pwned']", "!!binary aGk=",
    "!!set {a, b}", "---\n", "...\n", "%YAML 1.1\n", "\t", "? ", "- ", ": ", "|\n", ">\n", "{", "[",
    "}", "]", "[" * 2000, "{a: " * 300, LAUGHS + "\n", "&a [*a]", "\r\n", "\ufeff", "\x00", "\x85",
    "\ud800", "'", '"', '"\\ud800"', "#", "0x" + "f" * 200, "9" * 200, "1e999", "=", "<<",
    "2020-01-01", "1:30", "@x", "`x", "&a x: *a", "? [a]\n: b", "\u200b", " " * 50_000,
    "".join(f"unknown{n}: 1\n" for n in range(5_000)),
)  # fmt: skip
_XML_INSERTS = (
    '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>', "&b;", "&lt;",
    '<!DOCTYPE l SYSTEM "file:///etc/passwd">', "<![CDATA[x]]>", "<?x y?>", "<!-- -->",
    "<a>" * 3000, "</a>", "<vehicle/>", "<trkpt/>", '<?xml version="1.0" encoding="utf-16"?>',
    "&#x0;", "]]>", '<timestep time="nan"/>', '<person id="v0" x="1" y="1"/>', "<time>x</time>",
    "<name/>",
)  # fmt: skip
_LINE_INSERTS = (
    "1e999", "nan", "-inf", "9" * 400, "1_0", '"', '""', ",", ",,,,,", "\0", "\r", "\x0b",
    "\x1b[2J", "$ns_ at", "$node_(0) set X_ [expr 1+1]", "[exec touch pwned]", "{", "}", "[" * 1100,
    '{"a":' * 990,
    "\\ud800", '"\\ud800"', "null", "true", "-1", "1e308", "1" * 5000, "time_s", "٣", "²", "#", ";",
    '{"question": ' + "[" * 400 + "]" * 400 + "}", '{"a": NaN}', "[]", "x" * 200_000,
    " " * 100_000 + "x", ";" * 100_000 + "x", "$ns_ at 1 " + " " * 100_000 + "x",
)  # fmt: skip
INSERTS = {"yaml": _YAML_INSERTS, "xml": _XML_INSERTS, "line": _LINE_INSERTS}


def text(random: Random, whole: str, kind: str) -> bytes:
    """A text with a few places changed, as bytes that need not be UTF-8."""
    raw = whole.encode("utf-8", "surrogatepass")
    for _ in range(random.choice((1, 1, 2, 4))):
        raw = _noise(random, raw, kind)
    return raw


def _noise(random: Random, raw: bytes, kind: str) -> bytes:
    at = random.randrange(len(raw) + 1)
    until = min(len(raw), at + random.choice((1, 1, 3, 30)))
    lines = raw.split(b"\n")
    line = random.randrange(len(lines))
    how = random.randrange(10)
    if how == 0:
        return raw[:at] + raw[until:]
    if how == 1:
        return raw[:at] + bytes(random.randrange(256) for _ in range(until - at)) + raw[until:]
    if how == 2:
        return raw[:at]
    if how == 3:
        return raw[:at] + raw[at:until] * random.choice((2, 20)) + raw[until:]
    if how == 4:
        return b"\n".join([*lines[:line], *lines[line:][:1] * 3, *lines[line + 1 :]])
    if how == 5:
        return b"\n".join(lines[:line] + lines[line + 1 :])
    if how == 6:
        other = random.randrange(len(lines))
        lines[line], lines[other] = lines[other], lines[line]
        return b"\n".join(lines)
    if how == 7:
        number = str(random.choice(NUMBERS)).encode()
        digits = [n for n in range(len(raw)) if raw[n : n + 1].isdigit()]
        if digits:
            at = random.choice(digits)
            return raw[:at] + number + raw[at + 1 :]
    inserted = random.choice(INSERTS[kind]).encode("utf-8", "surrogatepass")
    if how == 8:
        start = sum(len(one) + 1 for one in lines[:line])
        return raw[:start] + inserted + raw[start:]
    return raw[:at] + inserted + raw[at:]
