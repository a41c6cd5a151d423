"""The modules of installed packages that bring methods, as this process has loaded them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from weakref import WeakKeyDictionary

from cosim.methods.method import Method
from cosim.methods.part import PARTS

_OWN = __name__.partition(".")[0]
_PYTHON = (".py", ".pyc")
# The packages with the code of each method that was loaded, by the name of its entry point.
_loaded: dict[str, frozenset[str]] = {}
# Of modules by when they were first asked for, since what has been imported stays as it was.
_digests: WeakKeyDictionary[ModuleType, str] = WeakKeyDictionary()


def loaded_sha256(module: ModuleType) -> str:
    """SHA-256 of a module's file as it was when this was first asked; empty without a file."""
    if module not in _digests:
        file = getattr(module, "__file__", None)
        _digests[module] = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    return _digests[module]


def note(entry_point: str, module: str, method: Method) -> None:
    """Keeps which packages a method's code lies in: its module's, and those of its parts."""
    modules = {module, *(type(part).__module__ for part in method.parts())}
    _loaded[entry_point] = frozenset(map(_package, modules)) - {_OWN}


def unload(entry_point: str) -> None:
    """Has the Python modules of a method's packages imported again when they are next asked for.

    Compiled ones stay, since few of them can be loaded twice in a process.
    """
    dropped = {
        name
        for name, module in _modules(_loaded.get(entry_point, frozenset()))
        if (file := getattr(module, "__file__", None)) is None or file.endswith(_PYTHON)
    }
    for name in dropped:
        del sys.modules[name]
    for parts in PARTS.values():
        for word in [word for word, part in parts.items() if part.__module__ in dropped]:
            del parts[word]


def is_theirs(file: str) -> bool:
    """Whether a file is the source of a module of a package that a loaded method lies in."""
    packages = frozenset[str]().union(*_loaded.values())
    return any(getattr(module, "__file__", None) == file for _, module in _modules(packages))


def _package(module: str) -> str:
    """The outermost package with an `__init__.py` that a module lies in, or the module alone.

    Folders without one may be shared by distributions that have nothing to do with each other.
    """
    package = module
    while parent := package.rpartition(".")[0]:
        if getattr(sys.modules.get(parent), "__file__", None) is None:
            break
        package = parent
    return package


def _modules(packages: frozenset[str]) -> Iterator[tuple[str, ModuleType]]:
    """What is loaded of these packages."""
    for name, module in list(sys.modules.items()):
        if any(name == package or name.startswith(f"{package}.") for package in packages):
            yield name, module
