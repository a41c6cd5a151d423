"""A class says what it is in a sentence, and a record says what each of its attributes is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A line about attributes: `name: …` or `a, b: …`, the names in backquotes or not.
ABOUT = re.compile(r"^ *(`?\w+`?(?:, `?\w+`?)*):(?= |$)", re.MULTILINE)
# What could be the finite verb of a sentence in the present, and a clause whose verb is its own.
COULD_BE_A_VERB = re.compile(r"\b(?:are|have|do|may|can|cannot|must|will|[a-z]+s)\b(?!')")
RELATIVE_CLAUSE = re.compile(r"\b(?:that|which|who|whose|whom)\b[^,;:.]*")
# A private record of at most so many attributes may leave it at their names.
SELF_EXPLAINING = 3


def _classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class with its file, line and name."""
    for path in sorted((ROOT / "cosim").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield f"{name}:{node.lineno}: {node.name}", node


def _is_record(node: ast.ClassDef) -> bool:
    """Whether it is a dataclass or a named tuple; the rows of traces describe their columns."""
    decorators = (part.func if isinstance(part, ast.Call) else part for part in node.decorator_list)
    names = {ast.unparse(part).rpartition(".")[2] for part in (*decorators, *node.bases)}
    return bool(names & {"dataclass", "NamedTuple"}) and "Column(" not in ast.unparse(node)


def _attributes(node: ast.ClassDef) -> list[str]:
    """The public ones that a class itself adds to an object."""
    return [
        line.target.id
        for line in node.body
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and not line.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(line.annotation)
    ]


def _described(docstring: str) -> set[str]:
    return {name.strip("`") for names in ABOUT.findall(docstring) for name in names.split(", ")}


def test_a_record_has_a_line_for_each_of_its_attributes() -> None:
    undescribed = []
    for where, node in _classes():
        names = _attributes(node) if _is_record(node) else []
        described = _described(ast.get_docstring(node) or "")
        missing = [name for name in names if name not in described]
        if missing and not (node.name.startswith("_") and len(names) <= SELF_EXPLAINING):
            undescribed.append(f"{where} does not describe {', '.join(missing)}")
    assert not undescribed, "\n".join(undescribed)


def test_a_public_class_begins_with_a_sentence() -> None:
    """Finds "A scenario that cannot be used", and any other phrase without what could be a verb.

    After a plural any word could be one: "Bits flow". A clause between subject and verb hides the
    verb, and reads better after it.
    """
    phrases = []
    for where, node in _classes():
        text = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
        sentence = re.split(r"(?<=[.:;])\s", text, maxsplit=1)[0]
        subject, _, rest = sentence.partition(" ")
        plural = subject.endswith("s") and subject not in ("This", "Its")
        verb = plural or COULD_BE_A_VERB.search(RELATIVE_CLAUSE.sub("", rest))
        if not (node.name.startswith("_") or verb):
            phrases.append(f"{where} begins with {sentence!r}")
    assert not phrases, "\n".join(phrases)
