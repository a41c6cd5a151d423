"""The contract as a whole: every check of a method, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cosim.contract.graph import graphs
from cosim.contract.learning import grouped, learns, starts_at_zero
from cosim.contract.messages import bits_of_content, foreseen, memory
from cosim.contract.network import runs
from cosim.contract.repetition import agrees, resumes
from cosim.contract.subject import MethodUnderTest, on_trial
from cosim.contract.traces import discarded, empty_inbox, nothing_in_place
from cosim.contract.verdict import Broken, Verdict
from cosim.errors import CosimError, MethodError
from cosim.methods.outside import blamed

CHECKS: dict[str, Callable[[MethodUnderTest], str]] = {
    "learns": learns,
    "zero start": starts_at_zero,
    "bits": bits_of_content,
    "foreseen": foreseen,
    "memory": memory,
    "in place": nothing_in_place,
    "empty": empty_inbox,
    "discarded": discarded,
    "grouped": grouped,
    "twice": agrees,
    "resumed": resumes,
    "graphs": graphs,
    "network": runs,
}


def contract(written: str) -> Iterator[Verdict]:
    """Each check of a method, named as a scenario names it, as it is made.

    Nothing is written that stays. Raises MethodError, with the file and the line where it can, for
    a method that cannot be used at all: one that does not load, or whose parts fail.
    """
    with on_trial(written) as subject:
        for name, check in CHECKS.items():
            yield verdict(subject, name, check)


def verdict(
    subject: MethodUnderTest, name: str, check: Callable[[MethodUnderTest], str]
) -> Verdict:
    """The end of one check; raises MethodError as `contract`."""
    try:
        return Verdict(name, check(subject))
    except Broken as finding:
        return Verdict(name, str(finding), holds=False)
    except MethodError:
        raise
    except CosimError as error:
        return Verdict(name, str(error), holds=False)
    except Exception as error:
        if (fault := blamed(error)) is not None:
            raise fault from error
        # What a part made was taken, and something broke over it later.
        return Verdict(name, f"{type(error).__name__}: {error}", holds=False)
