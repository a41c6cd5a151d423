"""How a command ends: its exit code, and one message where something went wrong."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable

import typer

from cosim.errors import CosimError
from cosim.host.streams import lasting_streams, missing_directory

# Without these the network alone runs: `learning: none`.
LEARNING_PACKAGES = frozenset(
    ("torch", "transformers", "tokenizers", "gguf", "accelerate", "reasoning_gym")
)
# What a shell reports for a command ended by SIGINT: 128 + 2.
INTERRUPTED = 130
# What these leave is a directory; what they print is a log of it.
_LOGGING = ("run", "resume", "sweep")
_NO_MEMORY = "the memory that this process may have is used up"
# How libraries say so that raise errors of other kinds: a loader, which maps modules; PyTorch's
# allocator, which raises RuntimeError; and whoever needs a thread, whose stack is memory, too.
_OUT_OF_MEMORY = (
    "failed to map segment",
    "annot allocate memory",
    "can't allocate memory",
    "bad_alloc",
    "Failed to launch worker thread",
    "can't start new thread",
)


def stop_as_asked() -> None:
    """Lets a scheduler's request to stop, and a terminal that is closed, leave what Ctrl-C leaves.

    Under nohup a closed terminal stays without effect.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def exit_code(command: Callable[[], None]) -> int:
    """Runs a command with streams that last; 1 where the output was all that was asked for, and
    could not be written."""
    with lasting_streams() as streams:
        code = _ended(command)
        if sys.stdout is not None:
            sys.stdout.flush()
        logs = sys.argv[1:2] in ([name] for name in _LOGGING)
        return 1 if streams.lost and not code and not logs else code


def _ended(command: Callable[[], None]) -> int:
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except CosimError as error:
        return _told(str(error))
    except KeyboardInterrupt:
        _told("interrupted before anything was simulated")
        return INTERRUPTED
    except MemoryError:
        return _told(_NO_MEMORY)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return _told(_NO_MEMORY)
        if error.filename is None and not missing_directory():
            raise
        where = "the current directory" if error.filename is None else error.filename
        where = os.fsdecode(where) if isinstance(where, str | bytes) else where
        return _told(f"{where}: {(error.strerror or str(error)).lower()}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in LEARNING_PACKAGES:
            raise
        return _told(
            f"{error.name} is not installed, and whatever learns needs it: pip install cosim "
            "brings it; without it there is learning: none, the network alone"
        )
    except Exception as error:
        from cosim.methods.outside import blamed

        if (fault := blamed(error)) is not None:
            return _told(str(fault))
        if not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        return _told(f"{_NO_MEMORY}: {str(error).splitlines()[0].lower()}")
    return 0


def _told(message: str) -> int:
    typer.echo(f"cosim: {message}", err=True)
    return 2
