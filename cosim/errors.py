"""The one family of errors that is meant for people: a sentence, never a traceback."""

import unicodedata

# A file may hold texts without end, and texts that move a terminal's cursor.
_LONGEST_LINE = 1000


class CosimError(Exception):
    """Something a user can put right; the message is complete and the command exits with 2.

    Whatever it quotes, it reads as printable lines of a bounded length.
    """

    def __str__(self) -> str:
        lines = super().__str__().split("\n")
        return "\n".join(_printable(line) for line in lines)


def _printable(line: str) -> str:
    if not line.isprintable():
        line = "".join(char if char.isprintable() else _named(char) for char in line)
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} … {line[-half:]}"


def _named(char: str) -> str:
    """What would not be seen, by its number; control characters are left out."""
    if unicodedata.category(char) in ("Cf", "Zs"):
        return f"<U+{ord(char):04X}>"
    if "\udc80" <= char <= "\udcff":  # a byte of a path that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return " "


class ScenarioError(CosimError):
    """A scenario that cannot be used; names the file, the line and the path in the scenario."""


class BaseModelError(CosimError):
    """A base model that cannot be fetched, verified or loaded."""


class MethodError(CosimError):
    """A method or a part that cannot be used; names the file and, where it can, the line."""


class TaskError(CosimError):
    """A task whose rows cannot be read or used."""


class DivergenceError(CosimError):
    """A fine-tuning whose numbers are no numbers any more; names the device, round and module."""


class StateError(CosimError):
    """A learner's state that cannot be stored; names the place in the state and the type."""


class UsageError(CosimError):
    """A command line with an option or a word that its command does not take."""


class OutsideError(CosimError, ValueError):
    """Code of an installed package that cannot be used, or fails; names the distribution, and the
    entry point or the file and line. A ValueError, so that it may be raised amid a validation."""


class MobilityError(CosimError):
    """A recorded trace that cannot be read or used; names the file and, where it can, the line."""


class RunDirectoryError(CosimError):
    """A run directory that would be overwritten, or that does not hold a readable run."""


class ObserverError(CosimError):
    """Somebody who looks on at a run and cannot write what was seen; the run's files are right."""


class ResumeError(RunDirectoryError):
    """A run that cannot go on as it began: its scenario is another, or what computes it."""


class ViewError(CosimError):
    """A picture of a run that cannot be made or written."""


class ProfileError(CosimError):
    """A machine whose training speed cannot be measured, or a profile that cannot be written."""


class BusyMachineError(ProfileError):
    """A machine that something else kept busy while it was measured."""


class SweepError(CosimError):
    """A sweep whose directory cannot be used."""


class RayError(CosimError):
    """Ray that is not installed, cannot be reached, or whose workers die again and again."""


class ExportError(CosimError):
    """Adapters of a run that are not there, or that cannot be written as asked."""


class AskError(CosimError):
    """A question that a finished run cannot be asked, or rows that it cannot be scored on."""
