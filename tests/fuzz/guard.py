"""One call held to its limits: time, memory, and no file, process or address outside."""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosim.errors import CosimError

LIMIT_S = 5.0
LIMIT_BYTES = 6 << 30
LONGEST_MESSAGE = 5000

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Which arguments are paths, and which the folder that each is relative to.
_MAKING: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.mkdir": ((0, 2),), "os.rename": ((0, 2), (1, 3)), "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),), "os.link": ((1, 3),), "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),), "os.chmod": ((0, 2),), "shutil.rmtree": ((0, None),),
}  # fmt: skip
_NEVER = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")


class Hang(BaseException):
    """The call took longer than it may."""


class Escape(BaseException):
    """The call touched what it must not."""


class Guard:
    """Only under `allowed` may files be made; one for the process, because hooks stay for good."""

    def __init__(self, allowed: Path) -> None:
        self.allowed = str(allowed.resolve())
        self._watching = False
        self._escaped: str | None = None
        sys.dont_write_bytecode = True
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, resource.RLIM_INFINITY))
        signal.signal(signal.SIGALRM, _late)
        sys.addaudithook(self._audit)

    def call(self, action: Callable[[], Any]) -> tuple[str, str]:
        """What became of the call: `ok`, `refused`, or a finding, and its words."""
        self._watching, self._escaped = True, None
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", DeprecationWarning)  # of generators of tasks
                action()
            ended = ("ok", "")
        except CosimError as error:
            ended = _judged(str(error))
        except Hang:
            ended = ("hang", _place())
        except Escape as error:
            ended = ("escape", str(error))
        except BaseException as error:
            ended = (f"{type(error).__name__}", f"{str(error)[:200]!r} at {_place()}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._watching = False
        if self._escaped is not None:  # even where something has swallowed it
            return ("escape", self._escaped)
        return ended

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching:
            return
        touched: list[Any] = []
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            touched = [arguments[0]]
        elif event in _MAKING:
            touched = [_beside(arguments, *places) for places in _MAKING[event]]
        elif event in _NEVER:
            self._refuse(f"{event} {arguments[:2]}")
        for path in touched:
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.fsdecode(path))
                if not f"{real}/".startswith(f"{self.allowed}/") and real != "/dev/null":
                    self._refuse(f"{event} {real}")

    def _refuse(self, what: str) -> None:
        self._escaped = what
        raise Escape(what)


def _beside(arguments: tuple[Any, ...], path: int, folder: int | None) -> Any:
    """The path of an argument; relative to an open folder where it is given so."""
    named, opened = arguments[path], -1 if folder is None else arguments[folder]
    if isinstance(opened, int) and opened >= 0:
        return os.path.join(f"/proc/self/fd/{opened}", os.fsdecode(named))
    return named


def _late(*_: Any) -> None:
    raise Hang


def _judged(message: str) -> tuple[str, str]:
    """A refusal must be for people: something, printable, and not without end."""
    if not message.strip():
        return "empty message", ""
    if len(message) > LONGEST_MESSAGE:
        return "long message", message[:200]
    odd = [char for char in message if not (char.isprintable() or char == "\n")]
    return ("raw message", ascii(message)[:300]) if odd else ("refused", message)


def _place() -> str:
    """Where in cosim the present error came from, and where it was raised."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    own = [one for one in frames if "/cosim/" in one.filename]
    told = [f"{Path(one.filename).name}:{one.lineno}" for one in (*own[-2:], *frames[-1:])]
    return " < ".join(reversed(told))
