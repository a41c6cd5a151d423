"""Methods from outside the package: a file, or an installed package's entry point."""

from __future__ import annotations

import copyreg
import hashlib
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from cosim.errors import MethodError
from cosim.methods.method import Method
from cosim.methods.origin import Origin
from cosim.methods.packages import is_theirs, loaded_sha256, note, unload
from cosim.methods.part import PARTS_OF_FILES, within
from cosim.methods.refusals import words_of

ENTRY_POINTS = "cosim.methods"
FILE = "path:"
# What a run directory calls its copy.
METHOD_FILE = "method.py"
_MODULE = "cosim_outside_"
_EXPECTED = "expected METHOD = LORA.with_(name=…, …) or another cosim.methods.Method"


def method_of_file(path: Path, sha256: str | None = None) -> Method:
    """The `METHOD` of a Python file, whose parts are then known by their words.

    sha256: of the file that is meant; another is refused. Raises MethodError, one sentence with the
    file and, where it can, the line.
    """
    source = source_of(path, sha256)
    digest = hashlib.sha256(source).hexdigest()
    name = _module_name(str(path), digest)
    module = sys.modules.get(name) or _executed(name, path, source)
    method = getattr(module, "METHOD", None)
    return _checked(method, str(path), module, Origin(path=str(path), sha256=digest))


def source_of(path: Path, sha256: str | None = None) -> bytes:
    """The bytes of a method's file; raises MethodError as `method_of_file`."""
    try:
        if path.exists() and not path.is_file():
            raise MethodError(f"{path}: is no file; expected a Python file with a METHOD")
        source = path.read_bytes()
    except OSError as error:
        raise MethodError(f"{path}: cannot be read: {error.strerror or error}") from error
    digest = hashlib.sha256(source).hexdigest()
    if sha256 not in (None, digest):
        raise MethodError(
            f"{path}: is another file than the one that is meant: its SHA-256 is {digest}, "
            f"expected {sha256}"
        )
    return source


def method_of_package(name: str, sha256: str | None = None) -> Method | None:
    """The method that an installed package declares under `cosim.methods`; None where none does.

    Raises MethodError where it cannot be used, or is another than the one that is meant.
    """
    entry = {point.name: point for point in installed()}.get(name)
    if entry is None:
        return None
    place = f"entry point {ENTRY_POINTS}: {name} ({entry.value})"
    try:
        value = entry.load()
    except Exception as error:
        raise MethodError(f"{place}: {type(error).__name__}: {error}") from error
    module = sys.modules[entry.module]
    loaded = loaded_sha256(module)
    if sha256 not in (None, loaded):
        raise MethodError(
            f"{place}: is another than the one that is meant: the SHA-256 of {module.__file__} is "
            f"{loaded}, expected {sha256}"
        )
    origin = Origin(entry_point=name, sha256=loaded)
    method = value if isinstance(value, Method) else getattr(value, "METHOD", None)
    checked = _checked(method, place, module, origin)
    note(name, entry.module, checked)
    return checked


def forget(origin: Origin) -> None:
    """Has a method's code executed again when it is next asked for, as in another process: its
    file, or all that its package has in Python."""
    if origin.entry_point is not None:
        unload(origin.entry_point)
    if (name := module_of(origin)) is not None:
        sys.modules.pop(name, None)
        PARTS_OF_FILES.pop(name, None)


def module_of(origin: Origin | None) -> str | None:
    """The module that a method's file is executed as; None of any other method."""
    if origin is None or origin.path is None:
        return None
    return _module_name(origin.path, origin.sha256)


def installed() -> tuple[EntryPoint, ...]:
    """The entry points of installed packages, in the order of their names."""
    return tuple(sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name))


def _module_name(path: str, digest: str) -> str:
    """One for each file and content, so that errors name the file that is meant."""
    place = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{_MODULE}{digest[:16]}_{place[:8]}"


def _executed(name: str, path: Path, source: bytes) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    PARTS_OF_FILES[name] = {}
    try:
        # Not by an import, which would take the bytes of an earlier version from its cache.
        with within(name):
            exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name], PARTS_OF_FILES[name]
        raise MethodError(f"{path}{_line(error, path)}: {words_of(error, name)}") from error
    return module


def _restored(mapping: dict[str, Any]) -> Method:
    """A method from outside in a process that may not have read its file or package."""
    origin = Origin.model_validate(mapping["origin"])
    if origin.path is not None:
        method_of_file(Path(origin.path), origin.sha256)
    else:
        assert origin.entry_point is not None, "a method from nowhere"
        method_of_package(origin.entry_point, origin.sha256)
    with within(module_of(origin)):
        return Method.model_validate(mapping)


def _reduced(method: Method) -> Any:
    """How a method goes to another process: whole, or as what is written of it, since a file's
    classes cannot be imported there."""
    if method.origin is None:
        return method.__reduce_ex__(2)
    return _restored, (method.model_dump(mode="json"),)


copyreg.pickle(Method, _reduced)


def _checked(method: object, place: str, module: ModuleType, origin: Origin) -> Method:
    if not isinstance(method, Method):
        names = [name for name, value in vars(module).items() if isinstance(value, Method)]
        made_here = [name for name in names if name not in _imported(module)]
        hint = f"; {made_here[0]} is one: call it METHOD" if made_here else ""
        made = type(method).__name__
        made = f"the class {method.__name__}" if isinstance(method, type) else made
        problem = "there is no METHOD" if method is None else f"METHOD is {made}"
        raise MethodError(f"{place}: {problem}; {_EXPECTED}{hint}")
    if method.name in _built_in():
        raise MethodError(
            f"{place}: METHOD is named '{method.name}', as a method of the package is: give it a "
            'name of its own, METHOD = ….with_(name="my_method", …)'
        )
    for part in method.parts():
        if part.word() is None:
            kind = type(part).__qualname__
            raise MethodError(
                f"{place}: {kind} has no word that a scenario could name it by: declare "
                f'{part.key}: Literal["my_word"] = "my_word" in it'
            )
    return method.model_copy(update={"origin": origin})


def _built_in() -> set[str]:
    """The names of the package's own methods."""
    import cosim.methods

    return set(cosim.methods.METHODS)


def _imported(module: ModuleType) -> set[str]:
    import cosim.methods

    return {name for name in vars(module) if hasattr(cosim.methods, name)}


def _line(error: BaseException, path: Path) -> str:
    """`:7`, the file's own line that an error comes from."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f":{error.lineno}"
    lines = [
        frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f":{lines[-1]}" if lines else ""


def blamed(error: Exception) -> MethodError | None:
    """The sentence for an error that comes out of a method from outside, be it a file or a package;
    None for any other."""
    for frame in reversed(extract_tb(error.__traceback__)):
        if _is_a_method_file(frame.filename) or is_theirs(frame.filename):
            return MethodError(f"{frame.filename}:{frame.lineno}: {words_of(error)}")
    return None


def _is_a_method_file(file: str) -> bool:
    modules = list(sys.modules.items())
    return any(name.startswith(_MODULE) and module.__file__ == file for name, module in modules)
