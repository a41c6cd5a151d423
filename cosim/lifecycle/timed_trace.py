"""A trace writer whose time on the disk is counted."""

from __future__ import annotations

from pathlib import Path

from cosim.host.phases import Phase, Phases
from cosim.trace.writer import TraceWriter


class TimedTrace:
    """This trace sink counts what flushing takes as the phase of traces.

    To keep a row takes less time than to look at the clock, and is not counted as anything.
    """

    def __init__(self, writer: TraceWriter, phases: Phases) -> None:
        self.add = writer.add
        self._writer, self._phases = writer, phases

    @property
    def directory(self) -> Path | None:
        """The run's directory."""
        return self._writer.directory

    def flush(self) -> None:
        """Makes readable what was added."""
        with self._phases.during(Phase.TRACES):
            self._writer.flush()

    def close(self) -> None:
        """Leaves one file a table; whoever ends the run counts that with what else it writes."""
        self._writer.close()
