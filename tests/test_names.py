"""One name for one thing: no two public classes have the same name."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import cosim.calls.run
import cosim.calls.scenario
import cosim.scenario.model
import cosim.trace.reader

ROOT = Path(__file__).parent.parent
# A public face, by its file, is a subclass of the class that it has its name from: to whoever calls
# cosim from Python it is the run or the scenario, with more methods, and there is no other.
FACES = {
    "cosim/calls/run.py": (cosim.calls.run.Run, cosim.trace.reader.Run),
    "cosim/calls/scenario.py": (cosim.calls.scenario.Scenario, cosim.scenario.model.Scenario),
}


def places(folder: Path) -> dict[str, list[str]]:
    """File and line of every public class at the top of a file, by its name, without the faces."""
    found = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        file = path.relative_to(folder.parent).as_posix()
        classes = (
            node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        )
        for node in classes:
            if file not in FACES or node.name != FACES[file][0].__name__:
                found[node.name].append(f"{file}:{node.lineno}")
    return found


def test_a_public_class_is_the_only_one_of_its_name() -> None:
    shared = [
        f"{name}: {', '.join(there)}"
        for name, there in sorted(places(ROOT / "cosim").items())
        if len(there) > 1
    ]
    assert not shared, "\n".join(shared)


@pytest.mark.parametrize(("face", "plain"), FACES.values(), ids=list(FACES))
def test_a_face_is_the_class_of_its_name(face: type, plain: type) -> None:
    assert face.__name__ == plain.__name__
    assert issubclass(face, plain)


def test_two_of_one_name_are_found(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("class Axis: ...\nclass _Own: ...\n", encoding="utf-8")
    (package / "b.py").write_text("\nclass Axis: ...\nclass _Own: ...\n", encoding="utf-8")
    assert places(package) == {"Axis": ["package/a.py:1", "package/b.py:2"]}
