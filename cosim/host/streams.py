"""Where a command prints to: a terminal, a file or a pipe, which may not take what is printed."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_NAMES = {"stdout": "standard output", "stderr": "standard error"}


class Streams:
    """This object says what became of the standard streams.

    A reader that went away, as `head` does, has seen what it wanted: nothing is lost then.

    lost: why not all was written; None: it was.
    """

    lost: str | None = None

    def failed(self, name: str, error: OSError) -> None:
        """Tells, once, on the other stream that this one is not written to any more."""
        if error.errno == errno.EPIPE or self.lost is not None:
            return
        self.lost = f"{_NAMES[name]} cannot be written to: {(error.strerror or '').lower()}"
        if name == "stdout" and sys.stderr is not None:
            print(f"cosim: {self.lost}; going on without it", file=sys.stderr, flush=True)


@contextmanager
def lasting_streams() -> Iterator[Streams]:
    """Standard streams that take every character and never raise, inside the block.

    What their encoding lacks becomes a question mark. Where a log's disk is full or its reader
    has gone, the rest is dropped: a run must not end because nobody listens.
    """
    streams = Streams()
    originals = {name: getattr(sys, name) for name in _NAMES}
    for name, stream in originals.items():
        setattr(sys, name, _lasting(name, stream, streams))
    try:
        yield streams
    finally:
        for name, stream in originals.items():
            if (lasting := getattr(sys, name)) is not None:
                lasting.flush()
            setattr(sys, name, stream)


def _lasting(name: str, stream: Any, streams: Streams) -> Any:
    if not isinstance(stream, io.TextIOWrapper):  # closed, or somebody's own
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)  # unbuffered, it is the file itself
    if not isinstance(raw, io.FileIO) or stream not in (sys.__stdout__, sys.__stderr__):
        with suppress(io.UnsupportedOperation):
            stream.reconfigure(errors="replace")
        return stream
    with suppress(OSError):
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Lasting(name, raw, streams)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Lasting(io.RawIOBase):
    """A file that drops what it cannot write."""

    def __init__(self, name: str, raw: io.FileIO, streams: Streams) -> None:
        super().__init__()
        self.name, self._raw, self._streams = f"<{name}>", raw, streams
        self._stream, self._dropping = name, False

    def write(self, data: Any) -> int | None:
        if not self._dropping:
            try:
                return self._raw.write(data)
            except OSError as error:
                self._dropping = True
                self._streams.failed(self._stream, error)
        return memoryview(data).nbytes

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


def missing_directory() -> bool:
    """Whether the current directory was removed, where every relative path fails."""
    try:
        os.getcwd()
    except OSError:
        return True
    return False
