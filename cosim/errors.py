"""The one family of errors that is meant for people: a sentence, never a traceback."""

import unicodedata

# A file may hold texts without end, and texts that move a terminal's cursor.
_LONGEST_LINE = 1000


class CosimError(Exception):
    """This error is something a user can put right; the message is complete and the command exits
    with 2.

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
    """A scenario cannot be used; the error names file, line and path in the scenario."""


class BaseModelError(CosimError):
    """A base model cannot be fetched, verified or loaded."""


class MethodError(CosimError):
    """A method or a part cannot be used; the error names the file and, where it can, the line."""


class TaskError(CosimError):
    """The rows of a task cannot be read or used."""


class DivergenceError(CosimError):
    """The numbers of a fine-tuning are no numbers any more; the error names the device, round and
    module."""


class StateError(CosimError):
    """A learner's state cannot be stored; the error names the place in the state and the type."""


class UsageError(CosimError):
    """A command line has an option or a word that its command does not take."""


class OutsideError(CosimError, ValueError):
    """Code of an installed package cannot be used, or fails; the error names the distribution, and
    the entry point or the file and line. It is a ValueError, so that it may be raised amid a
    validation."""


class MobilityError(CosimError):
    """A recorded trace cannot be read or used; the error names the file and, if known, the line."""


class RunDirectoryError(CosimError):
    """A run directory would be overwritten, or does not hold a readable run."""


class ObserverError(CosimError):
    """An observer of a run cannot write what it has seen; the run's files are right."""


class ResumeError(RunDirectoryError):
    """A run cannot go on as it began: its scenario is another, or what computes it."""


class ViewError(CosimError):
    """A picture of a run cannot be made or written."""


class ProfileError(CosimError):
    """A machine's training speed cannot be measured, or its profile cannot be written."""


class BusyMachineError(ProfileError):
    """Something else kept a machine busy while it was measured."""


class SweepError(CosimError):
    """A sweep's directory cannot be used."""


class RayError(CosimError):
    """Ray is not installed, cannot be reached, or its workers die again and again."""


class ExportError(CosimError):
    """A run's adapters are not there, or cannot be written as asked."""


class AskError(CosimError):
    """A finished run cannot be asked a question, or cannot be scored on some rows."""
