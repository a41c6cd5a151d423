"""The timings of a profile on the terminal, beside what the profile makes of them."""

from __future__ import annotations

from rich.table import Table

from cosim.profiling.profile import Profiled


def timings_table(profiled: Profiled, name: str) -> Table:
    """A row a timing: the job, its measured and its fitted duration, and the relative error."""
    table = Table(title=f"{name}: durations on this machine")
    for column in ("batch", "tokens", "rank", "density", "mask", "measured", "fitted", "error"):
        table.add_column(column, justify="right")
    for timing in profiled.timings:
        job, error = timing.job, timing.error(profiled.profile)
        table.add_row(
            *(str(count) for count in (job.batch_size, job.tokens, job.rank)),
            "dense" if job.density is None else f"{job.density:g}",
            "chosen" if timing.work.ranked else "",
            f"{timing.measured_s:.3f} s",
            f"{timing.measured_s * (1 + error):.3f} s",
            f"{error:+.1%}",
        )
    return table
