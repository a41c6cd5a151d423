"""Checkpoints of a run: the journal so far and the learner's state, whole on disk or not there.

`journal.jsonl` only grows. A checkpoint is a safetensors file and then a JSON file of the same
number, each renamed into place; the JSON names the bytes that belong to it and their CRC-32. The
last two are kept, so that there is another where one is found damaged.
"""

from __future__ import annotations

import errno
import gc
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.errors import ResumeError
from cosim.lifecycle.journaled_learner import JournaledLearner
from cosim.trace.files import CHECKPOINTS, replacing

# A checkpoint is due when this many times the wall time of the last one has passed: 3 % at most.
SPACING = 33.0

_FORMAT = 2
_JOURNAL = "journal.jsonl"
_KEPT = 2
# Of the first checkpoint the cost is not known yet: what a slow disk takes.
_BYTES_PER_S = 1e8
_LEAST_S = 0.05
_READ_BYTES = 2**20
_FEW = 64

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of a run is whole on disk.

    folder: the run's folder of checkpoints, in which the journal lies, too.
    number: its own, by which its files are named.
    index: its JSON file, read.
    """

    folder: Path
    number: int
    index: Mapping[str, Any]

    def lines(self) -> Iterator[str]:
        """The journal up to this checkpoint."""
        unread_bytes = self.index["journal"]["bytes"]
        with (self.folder / _JOURNAL).open("rb") as file:
            while unread_bytes > 0:
                line = file.readline()
                unread_bytes -= len(line)
                yield line.decode()

    def tensors(self) -> dict[str, Any]:
        """The learner's tensors by name."""
        from cosim.learning.storing.tensor_file import read_tensors

        return read_tensors(_tensors(self.folder, self.number))


def newest(directory: Path) -> Checkpoint | None:
    """The last checkpoint of a run that is whole; None where there is none.

    Raises ResumeError for one of another format.
    """
    folder = directory / CHECKPOINTS
    for number in sorted(_numbers(folder), reverse=True):
        index = _index(folder, number)
        if index is None:
            _log.warning("checkpoint %d of %s is damaged and not used", number, directory)
            continue
        if (format_ := index.get("format")) != _FORMAT:
            raise ResumeError(
                f"{directory} cannot be resumed: its checkpoint has format {format_}, and this "
                f"version of cosim reads format {_FORMAT}; the version that began the run can go "
                "on with it."
            )
        return Checkpoint(folder, number, index)
    return None


class Checkpoints:
    """Checkpoints store a learner now and then; `wall_s` is what that has taken.

    A disk that refuses stops nothing: the run goes on without a new checkpoint.

    facts: what every checkpoint says besides.
    spent: the run's wall times so far.
    checkpoint: the one that the run was resumed from; later ones are dropped, as it was these that
        were damaged.
    """

    def __init__(
        self,
        directory: Path,
        learner: JournaledLearner,
        facts: Mapping[str, Any],
        spent: Callable[[], Mapping[str, float]],
        *,
        clock: Callable[[], float],
        spacing: float = SPACING,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.wall_s = 0.0
        self._folder = directory / CHECKPOINTS
        self._learner, self._facts, self._spent = learner, facts, spent
        self._clock, self._spacing = clock, spacing
        self._bytes = 0 if checkpoint is None else int(checkpoint.index["journal"]["bytes"])
        self._check = 0 if checkpoint is None else int(checkpoint.index["journal"]["crc32"])
        self._number = 0 if checkpoint is None else checkpoint.number
        if checkpoint is None and self._folder.exists():
            shutil.rmtree(self._folder)
        for number in _numbers(self._folder):
            if number > self._number:
                _remove(self._folder, number)
        self._limit = _FEW
        self._last_s = clock()
        self._wait: float | None = None

    def consider(self) -> None:
        """Stores the learner if enough time has passed; called where little is on its way."""
        begun = self._clock()
        if self._wait is not None and begun - self._last_s < self._wait:
            return
        from cosim.learning.state_tree import bytes_of

        self._forget()
        state, tensors = self._learner.take()
        if self._wait is None:
            self._wait = self._spacing * (_LEAST_S + bytes_of(tensors) / _BYTES_PER_S)
            if begun - self._last_s < self._wait:
                return
        try:
            self._store(state, tensors)
        except OSError as error:
            _log.warning("no checkpoint in %s: %s", self._folder, error.strerror or error)
        self._last_s = self._clock()
        self._wait = self._spacing * (self._last_s - begun)
        self.wall_s += self._last_s - begun

    def _forget(self) -> None:
        """Lets go of what was on its way and is no more: what hangs together in cycles stays until
        Python looks for them, which takes a while."""
        if len(self._learner.contents) > self._limit:
            gc.collect()
            self._limit = max(_FEW, 2 * len(self._learner.contents))

    def drop(self) -> None:
        """Removes all checkpoints of a run that is complete and on disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _store(self, state: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        from cosim.learning.state_tree import bytes_of
        from cosim.learning.storing.tensor_file import write_tensors

        self._folder.mkdir(exist_ok=True)
        room = bytes_of(tensors) + sum(map(len, self._learner.journal.fresh))
        if shutil.disk_usage(self._folder).free < 2 * _READ_BYTES + room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._append()
        number, lines = self._number + 1, self._learner.journal.lines
        with replacing(_tensors(self._folder, number)) as temporary:
            check = write_tensors(temporary, tensors)
            size = temporary.stat().st_size
        index = {
            "format": _FORMAT,
            **self._facts,
            "spent": self._spent(),
            "journal": {"lines": lines, "bytes": self._bytes, "crc32": self._check},
            "tensors": {"bytes": size, "crc32": check},
            "learner": state,
        }
        with replacing(self._folder / f"{number:06d}.json") as temporary:
            temporary.write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")
        self._number = number
        for candidate in _numbers(self._folder):
            if candidate <= number - _KEPT:
                _remove(self._folder, candidate)

    def _append(self) -> None:
        """Writes the journal's fresh lines behind those that belong to a checkpoint."""
        fresh = self._learner.journal.fresh
        text = "".join(fresh).encode()
        with (self._folder / _JOURNAL).open("ab") as file:
            file.truncate(self._bytes)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.clear()
        self._bytes += len(text)
        self._check = zlib.crc32(text, self._check)


def _tensors(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.safetensors"


def _numbers(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("[0-9]*.json")]


def _remove(folder: Path, number: int) -> None:
    """First what makes it a checkpoint."""
    (folder / f"{number:06d}.json").unlink(missing_ok=True)
    _tensors(folder, number).unlink(missing_ok=True)


def _index(folder: Path, number: int) -> dict[str, Any] | None:
    """A checkpoint's JSON; None where it is not whole or its files are not as it says."""
    try:
        index: dict[str, Any] = json.loads((folder / f"{number:06d}.json").read_bytes())
        for path, entry in (
            (folder / _JOURNAL, index["journal"]),
            (_tensors(folder, number), index["tensors"]),
        ):
            if _crc32(path, entry["bytes"]) != entry["crc32"]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index


def _crc32(path: Path, size: int) -> int | None:
    """Of a file's first bytes; None where it has fewer."""
    check = 0
    with path.open("rb") as file:
        while size > 0 and (part := file.read(min(size, _READ_BYTES))):
            check = zlib.crc32(part, check)
            size -= len(part)
    return check if size == 0 else None
