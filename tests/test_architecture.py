"""The three worlds stay apart: imports go one way, and this holds them."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent / "cosim"
# What each room may import from the others; nothing else.
MAY_IMPORT = {
    "errors": set(),
    "randomness": set(),
    "spelling": set(),
    "si_prefix": set(),
    "physics": set(),
    "host": {"errors"},
    "mobility": {"errors", "randomness"},
    "methods": {"errors", "randomness", "spelling", "topology"},
    "scenario": {"errors", "methods", "mobility", "spelling"},
    "topology": set(),
    "trace": {"errors"},
    "observers": {"errors", "learning", "scenario", "trace"},
    "learning": {"errors", "host", "methods", "randomness", "scenario", "spelling", "topology"},
    "simulation": {
        "errors",
        "host",
        "learning",
        "methods",
        "mobility",
        "observers",
        "physics",
        "randomness",
        "scenario",
        "spelling",
        "topology",
        "trace",
    },
    "preflight": {
        "errors",
        "host",
        "learning",
        "methods",
        "physics",
        "scenario",
        "si_prefix",
        "simulation",
        "topology",
    },
    "lifecycle": {
        "errors",
        "host",
        "learning",
        "methods",
        "preflight",
        "scenario",
        "simulation",
        "trace",
    },
    "contract": {
        "errors",
        "learning",
        "lifecycle",
        "methods",
        "randomness",
        "scenario",
        "simulation",
        "trace",
        "verification",
    },
    "profiling": {"errors", "host", "learning", "methods", "randomness", "scenario", "simulation"},
    "export": {"errors", "learning", "scenario", "trace"},
    "asking": {"errors", "export", "learning", "scenario", "spelling", "trace"},
    "sweeping": {
        "comparison",
        "errors",
        "host",
        "lifecycle",
        "methods",
        "preflight",
        "scenario",
        "simulation",
        "spelling",
        "trace",
    },
    "comparison": {"errors", "randomness", "scenario", "trace"},
    "verification": {"errors", "scenario", "trace"},
    "views": {"errors", "scenario", "trace"},
    "plotting": {"comparison", "errors", "scenario", "spelling", "trace", "views"},
    "reporting": {"comparison", "errors", "scenario", "trace", "verification", "views"},
    "cli": {
        "asking",
        "comparison",
        "contract",
        "errors",
        "export",
        "host",
        "learning",
        "lifecycle",
        "methods",
        "observers",
        "plotting",
        "preflight",
        "profiling",
        "reporting",
        "scenario",
        "si_prefix",
        "simulation",
        "spelling",
        "sweeping",
        "trace",
        "verification",
        "views",
    },
    "calls": {
        "asking",
        "comparison",
        "errors",
        "learning",
        "lifecycle",
        "observers",
        "plotting",
        "preflight",
        "reporting",
        "scenario",
        "simulation",
        "sweeping",
        "trace",
        "verification",
    },
    "__init__": {"calls", "errors", "observers", "scenario", "simulation"},
    "__main__": {"cli", "host"},
}
# The floors of large rooms, from the ground up: a sub-room, or a file that lies in none,
# may import what lies below it, and nothing beside it on its floor.
FLOORS = {
    "learning": [
        {"divergence", "state_tree"},
        {"records", "data", "threads"},
        {"base"},
        {"adapters"},
        {"evaluation"},
        {"costs"},
        {"calibration", "training"},
        {"execution"},
        {"federation"},
        {"diagnostics", "storing"},
        {"jobs", "rehearsal", "respondents"},
        {"learner"},
        {"learner_state", "prepare"},
        {"forecast"},
    ],
    "simulation": [
        {"clock", "event_loop", "compute_time", "learner", "message", "observer"},
        {"recorder"},
        {"inbox", "links"},
        {"energy", "null_learner"},
        {"station"},
        {"rows"},
        {"superposition"},
        {"medium"},
        {"world"},
        {"rounds"},
        {"setup"},
        {"rehearsal"},
        {"agreement"},
    ],
    "scenario": [
        {"by_name", "reading", "section"},
        {"availability", "division", "method", "outside", "profile"},
        {"complaints", "learning", "mobility", "radio"},
        {"catalogue", "standing_alone"},
        {"devices"},
        {"model"},
        {"json_schema", "origins"},
        {"key_paths", "values"},
        {"overrides", "reference"},
        {"load"},
    ],
}
ONLY_IN = {
    "ray": {"host"},
    "simpy": {"simulation"},
    "torch": {"contract", "learning", "lifecycle", "methods", "profiling"},
}


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path, ".".join(("cosim", *path.relative_to(ROOT).with_suffix("").parts))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, *, at_import_time: bool = False) -> tuple[str, ...]:
    """Imported module names; with `at_import_time`, those outside functions and TYPE_CHECKING."""
    names: list[str] = []
    for node in tree(path).body if at_import_time else ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module != "cosim":  # what is taken out of the package itself is a room, or not
                names.append(node.module or "")
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_room_imports_only_what_it_may_know() -> None:
    for path, name in modules():
        own = room(name)
        for imported in imports(path):
            # `import cosim`, and names out of it, are its own door, which opens every room.
            if imported.split(".")[0] == "cosim":
                other = room(imported)
                allowed = MAY_IMPORT[own] | {own}
                assert other in allowed, f"{name} imports {imported}"


def below(own: str) -> set[str] | None:
    """The sub-rooms and files of a large room that one of them may import."""
    names = own.split(".")
    if len(names) < 3 or names[1] not in FLOORS:
        return None
    floors = FLOORS[names[1]]
    (height,) = (number for number, floor in enumerate(floors) if names[2] in floor)
    return {names[2]}.union(*floors[:height])


def test_sub_rooms_import_what_lies_below_them() -> None:
    for path, name in modules():
        if (allowed := below(name.removesuffix(".__init__"))) is not None:
            for imported in imports(path):
                names = imported.split(".")
                if names[:2] == name.split(".")[:2] and len(names) > 2:
                    assert names[2] in allowed, f"{name} imports {imported}"


@pytest.mark.parametrize("package", ONLY_IN)
def test_heavy_worlds_are_imported_where_they_belong(package: str) -> None:
    for path, name in modules():
        if package in {imported.split(".")[0] for imported in imports(path)}:
            assert room(name) in ONLY_IN[package], f"{name} imports {package}"


def test_only_the_learner_is_given_to_torch_in_the_simulation() -> None:
    """The simulation may ask torch for its thread count, inside a function, and nothing more."""
    for path, name in modules():
        if room(name) != "learning":
            top = {imported.split(".")[0] for imported in imports(path, at_import_time=True)}
            assert "torch" not in top, f"{name} imports torch at import time"


def test_learning_knows_no_time() -> None:
    for path, name in modules():
        if room(name) == "learning":
            for imported in imports(path):
                assert imported.split(".")[0] not in {"time", "datetime", "simpy"}, name


def test_imports_have_no_cycle() -> None:
    """Those inside functions and under TYPE_CHECKING count as well."""
    known = {name.removesuffix(".__init__"): path for path, name in modules()}
    graph = {
        name: {imported for imported in imports(path) if imported in known and imported != name}
        for name, path in known.items()
    }
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError with the cycle
    assert len(order) == len(known)


@cache
def called(path: Path) -> frozenset[str]:
    """Dotted names of everything that is called."""
    calls = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
    return frozenset(ast.unparse(node.func) for node in calls)


def test_no_global_random_generator() -> None:
    named = {"np.random.Generator", "np.random.Philox"}
    drawing = {"torch.manual_seed", "torch.rand", "torch.randn", "torch.randint", "torch.randperm"}
    for path, name in modules():
        assert "random" not in set(imports(path)), f"{name} imports random"
        for function in called(path):
            assert function not in drawing, f"{name} calls {function}"
            assert not function.startswith("np.random.") or function in named, name


def test_the_host_clock_is_read_for_what_is_no_result_alone() -> None:
    """For the manifest, progress, a profile, to stop a pattern, and for when rows are on disk."""
    readers = {
        "cosim.host.phases",
        "cosim.host.timed_regex",
        "cosim.lifecycle.play",
        "cosim.lifecycle.journaled_learner",
        "cosim.lifecycle.timed_trace",
        "cosim.observers.progress",
        "cosim.observers.tally",
        "cosim.profiling.contention",
        "cosim.profiling.measure",
        "cosim.profiling.wall_time",
    }
    for path, name in modules():
        assert not {"secrets", "uuid"} & set(imports(path)), name
        clocks = {function for function in called(path) if function.endswith((".now", ".today"))}
        assert clocks <= {"env.now"}, f"{name} calls {clocks}"
        if room(name) != "cli" and "time" in set(imports(path)):
            assert name in readers, name


def test_files_stay_within_a_screenful_of_screens() -> None:
    ours = (ROOT.rglob("*.py"), TESTS.rglob("*.py"), ROOT.rglob("*.js"), ROOT.rglob("*.css"))
    for path in chain(*ours):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 330, f"{path} has {lines} lines"
