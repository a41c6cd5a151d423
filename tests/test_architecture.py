"""The three worlds stay apart: imports go one way, and this holds them."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "cosim"
# What each room may import from the others; nothing else.
MAY_IMPORT = {
    "errors": set(),
    "expression": set(),
    "garbage": set(),
    "randomness": set(),
    "ray_cluster": {"errors", "safe_path"},
    "safe_path": set(),
    "streams": set(),
    "exit_codes": {"errors", "streams"},
    "spelling": set(),
    "usage": {"errors", "scenario", "spelling"},
    "physics": set(),
    "mobility": {"errors", "randomness"},
    "methods": {"errors"},
    "scenario": {"errors", "methods", "spelling"},
    "topology": {"methods"},
    "trace": {"errors"},
    "learning": {
        "errors",
        "expression",
        "garbage",
        "randomness",
        "ray_cluster",
        "spelling",
        "methods",
        "scenario",
    },
    "simulation": {
        "errors",
        "garbage",
        "randomness",
        "spelling",
        "physics",
        "mobility",
        "methods",
        "scenario",
        "topology",
        "trace",
        "learning",
    },
    "profiling": {"errors", "randomness", "learning", "scenario", "simulation"},
    "interchange": {"errors", "learning", "trace"},
    "sweep": {
        "errors",
        "ray_cluster",
        "safe_path",
        "scenario",
        "simulation",
        "spelling",
        "trace",
    },
    "comparison": {"errors", "scenario", "trace"},
    "terminal": {"comparison", "learning", "trace"},
    "verification": {"errors", "scenario", "trace"},
    "views": {"errors", "scenario", "trace"},
    "cli_runs": {
        "comparison",
        "errors",
        "exit_codes",
        "interchange",
        "sweep",
        "terminal",
        "trace",
        "verification",
    },
    "cli": {
        "cli_runs",
        "errors",
        "exit_codes",
        "garbage",
        "methods",
        "profiling",
        "scenario",
        "simulation",
        "terminal",
        "trace",
        "usage",
        "views",
    },
    "__init__": {"scenario", "simulation", "trace"},
    "__main__": {"cli", "safe_path"},
}
ONLY_IN = {
    "ray": {"ray_cluster"},
    "simpy": {"simulation"},
    "torch": {"learning", "profiling", "simulation"},
}


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        yield path, ".".join(("cosim", *path.relative_to(ROOT).with_suffix("").parts))


def imports(path, *, at_import_time=False):
    """Imported module names; with `at_import_time`, those outside functions and TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_import_time else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module != "cosim":  # what is taken out of the package itself is a room, or not
                yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_room_imports_only_what_it_may_know():
    for path, name in modules():
        own = room(name)
        for imported in imports(path):
            # `import cosim`, and names out of it, are its own door, which opens every room.
            if imported.split(".")[0] == "cosim":
                other = room(imported)
                allowed = MAY_IMPORT[own] | {own}
                assert other in allowed, f"{name} imports {imported}"


@pytest.mark.parametrize("package", ONLY_IN)
def test_heavy_worlds_are_imported_where_they_belong(package):
    for path, name in modules():
        if package in {imported.split(".")[0] for imported in imports(path)}:
            assert room(name) in ONLY_IN[package], f"{name} imports {package}"


def test_only_the_learner_is_given_to_torch_in_the_simulation():
    """The simulation may ask torch for its thread count, inside a function, and nothing more."""
    for path, name in modules():
        if room(name) != "learning":
            top = {imported.split(".")[0] for imported in imports(path, at_import_time=True)}
            assert "torch" not in top, f"{name} imports torch at import time"


def test_learning_knows_no_time():
    for path, name in modules():
        if room(name) == "learning":
            for imported in imports(path):
                assert imported.split(".")[0] not in {"time", "datetime", "simpy"}, name


def test_imports_have_no_cycle():
    known = {name.removesuffix(".__init__"): path for path, name in modules()}
    graph = {
        name: {
            imported
            for imported in imports(path, at_import_time=True)
            if imported in known and imported != name
        }
        for name, path in known.items()
    }
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError with the cycle
    assert len(order) == len(known)


def called(path):
    """Dotted names of everything that is called."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_no_global_random_generator():
    named = {"np.random.Generator", "np.random.Philox"}
    drawing = {"torch.manual_seed", "torch.rand", "torch.randn", "torch.randint", "torch.randperm"}
    for path, name in modules():
        assert "random" not in set(imports(path)), f"{name} imports random"
        for function in called(path):
            assert function not in drawing, f"{name} calls {function}"
            assert not function.startswith("np.random.") or function in named, name


def test_the_host_clock_is_read_for_the_manifest_a_profile_and_to_stop_a_pattern_alone():
    readers = {
        "cosim.host.timed_regex",
        "cosim.lifecycle.play",
        "cosim.lifecycle.timed_learner",
        "cosim.profiling.contention",
        "cosim.profiling.measure",
    }
    for path, name in modules():
        assert not {"secrets", "uuid"} & set(imports(path)), name
        clocks = {function for function in called(path) if function.endswith((".now", ".today"))}
        assert clocks <= {"env.now"}, f"{name} calls {clocks}"
        if room(name) not in {"terminal", "cli"} and "time" in set(imports(path)):
            assert name in readers, name


def test_files_stay_within_a_screenful_of_screens():
    for path, name in modules():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 400, f"{name} has {lines} lines"
