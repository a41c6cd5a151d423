"""A trace writer whose time on the disk is counted."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from cosim.host.phases import Phase, Phases
from cosim.trace.writer import TraceWriter

# Of a part file where rounds take no longer than it does.
ROWS_OF_A_PART = 4096
# How long rows wait for others, by the host's clock: whoever looks on sees them, and no trace hangs
# on in which file they were first.
_LONGEST_S = 1.0


class TimedTrace:
    """This trace sink counts what flushing takes as the phase of traces.

    To keep a row takes less time than to look at the clock, and is not counted as anything. A part
    file takes some ten milliseconds, which is nothing beside a round of training and ten times a
    round of the network alone.

    least_rows: fewer stay in memory, for about a second.
    """

    def __init__(self, writer: TraceWriter, phases: Phases, least_rows: int = 1) -> None:
        self.add = writer.add
        self._writer, self._phases, self._least_rows = writer, phases, least_rows
        self._flushed_s = monotonic()

    @property
    def directory(self) -> Path | None:
        """The run's directory."""
        return self._writer.directory

    def flush(self) -> None:
        """Makes readable what was added, where that is enough to be worth a file or has waited."""
        few = self._writer.buffered < self._least_rows
        if few and monotonic() - self._flushed_s < _LONGEST_S:
            return
        self._flushed_s = monotonic()
        with self._phases.during(Phase.TRACES):
            self._writer.flush()

    def close(self) -> None:
        """Leaves one file a table; whoever ends the run counts that with what else it writes."""
        self._writer.close()
