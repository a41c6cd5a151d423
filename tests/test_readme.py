"""The READMEs against the code: generated blocks, paths, names, commands, size.

Blocks between `<!-- generated: NAME -->` and `<!-- end -->` are made by `readme_tables.py`. After a
change of what they are made from, write them anew and look at the diff:

    COSIM_REGENERATE_GOLDEN=1 python -m pytest tests/test_readme.py

What the READMEs show is run by `test_readme_commands.py`.
"""

import os
import re
from pathlib import Path

import pytest
from readme_tables import BLOCKS, ROOT

READMES = [
    ROOT / folder / "README.md"
    for folder in (
        "",
        "cosim",
        "cosim/methods",
        "cosim/trace",
        "scenarios",
        "analysis",
        "tests",
        "tests/benchmarks",
        "tests/cases",
    )
]
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
