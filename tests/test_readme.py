"""The READMEs against the code: generated blocks, paths, names, commands, size.

Blocks between `<!-- generated: NAME -->` and `<!-- end -->` are made by `readme_tables.py`. After a
change of what they are made from, write them anew and look at the diff:

    COSIM_REGENERATE_GOLDEN=1 python -m pytest tests/test_readme.py

What the READMEs show is run by `test_readme_commands.py`.
"""

import ast
import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cosim.cli.app import app
from tests.readme_tables import BLOCKS, READMES, ROOT

REGENERATE = os.environ.get("COSIM_REGENERATE_GOLDEN") == "1"
_BLOCK = re.compile(r"<!-- generated: ([a-z ]+) -->\n(.*?)\n<!-- end -->", re.DOTALL)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def generated(text: str) -> dict[str, str]:
    """The generated blocks of a README by name."""
    return {name: block.strip("\n") for name, block in _BLOCK.findall(text)}


@pytest.mark.parametrize("path", READMES, ids=named)
def test_generated_blocks_are_what_the_code_gives(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if REGENERATE:
        text = _BLOCK.sub(
            lambda match: f"<!-- generated: {match[1]} -->\n\n{BLOCKS[match[1]]()}\n\n<!-- end -->",
            text,
        )
        path.write_text(text, encoding="utf-8")
    for name, block in generated(text).items():
        assert block == BLOCKS[name](), f"{named(path)}: {name}"


def test_each_block_is_in_one_readme() -> None:
    names = [name for path in READMES for name in generated(path.read_text(encoding="utf-8"))]
    assert sorted(names) == sorted(BLOCKS)
    marks = [path.read_text(encoding="utf-8").count("<!-- generated: ") for path in READMES]
    assert sum(marks) == len(names), "a block without its end"


def prose(path: Path) -> str:
    """A README without its fenced blocks and comments."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$|<!--.*?-->", "", text, flags=re.M | re.S)


def quoted(path: Path) -> list[str]:
    """What stands between backticks, outside blocks."""
    return re.findall(r"`([^`\n]+)`", prose(path))


def place(name: str, readme: Path) -> Path | None:
    """What a name means in a README: of its folder, of the repository, or of the package."""
    for folder in (readme.parent, ROOT, ROOT / "cosim"):
        if (folder / name).exists():
            return folder / name
    return None


# What a run writes, and what somebody else had in his folder.
OF_A_USER = {"socket.py"}
OF_A_RUN = {
    *("adapters/", "checkpoint/", "parts/", "tensorboard/", "checkpoint/journal.jsonl"),
    *("manifest.json", "scenario.yaml", "timeline.json", "timeline.png", "map.gif"),
}
OF_AN_EXPORT = {"adapter_config.json", "gate.json", "route.py"}


@pytest.mark.parametrize("path", READMES, ids=named)
def test_every_path_exists(path: Path) -> None:
    for name in quoted(path):
        if re.fullmatch(r"[\w./-]+(\.(py|yaml|md|json|jsonl|csv|png|gif|toml)|/)", name):
            known = OF_A_RUN | OF_AN_EXPORT | OF_A_USER
            assert name in known or place(name, path) is not None, f"{named(path)}: {name}"


def test_what_a_run_writes_is_named_in_the_code() -> None:
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "cosim").rglob("*.py"))
    for name in OF_A_RUN:
        assert f'"{name.rstrip("/").rpartition("/")[2]}"' in code or name in code, name


@pytest.mark.parametrize("path", READMES, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(path)):
        if target.startswith("https://"):
            continue
        file, _, heading = target.partition("#")
        there = path.parent / file if file else path
        assert there.exists(), f"{named(path)}: {target}"
        if heading:
            assert heading in anchors(there), f"{named(path)}: {target}"


def anchors(path: Path) -> list[str]:
    """The anchors of a README's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
    return [re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings]


@pytest.mark.parametrize("path", READMES, ids=named)
def test_every_name_in_a_file_is_there(path: Path) -> None:
    """`file.py: name` is a function, a class, a method or a constant of that file."""
    for quote in quoted(path):
        if match := re.fullmatch(r"([\w./]+\.py): ([\w.]+)", quote):
            file = place(match[1], path)
            assert file is not None, f"{named(path)}: {quote}"
            assert match[2] in names_in(file), f"{named(path)}: {quote}"


def names_in(file: Path) -> set[str]:
    """Functions, classes, their methods, and constants of a module."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
            names |= {f"{node.name}.{n.name}" for n in ast.walk(node) if hasattr(n, "name")}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return names


def test_follow_one_round_names_its_functions() -> None:
    text = (ROOT / "cosim" / "README.md").read_text(encoding="utf-8")
    followed = text.split("## Follow one round")[1].split("## ")[0]
    assert len(re.findall(r"`[\w/]+\.py: \w+", followed)) >= 8


@pytest.mark.parametrize("path", READMES, ids=named)
def test_every_command_in_a_sentence_is_one(path: Path) -> None:
    """`cosim NAME …`: the command exists, and has the options."""
    group: Any = typer.main.get_command(app)
    for quote in quoted(path):
        words = quote.split()
        if words[0] == "cosim" and len(words) > 1 and words[1] != "--version":
            assert words[1] in group.commands, f"{named(path)}: {quote}"
            options = {name for one in group.commands[words[1]].params for name in one.opts}
            for word in words[2:]:
                assert not word.startswith("--") or word in options, f"{named(path)}: {quote}"


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 9000


def test_every_script_is_named_beside_it() -> None:
    """Benchmarks and figures."""
    for folder in ("tests/benchmarks", "analysis"):
        text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
        for script in (ROOT / folder).glob("*.py"):
            shared = folder == "analysis" and "__main__" not in script.read_text(encoding="utf-8")
            assert script.name in text or shared, script


def test_every_figure_is_shown() -> None:
    shown = "".join(prose(path) for path in READMES)
    for figure in (ROOT / "analysis" / "results").glob("*.png"):
        assert f"results/{figure.name})" in shown, figure
