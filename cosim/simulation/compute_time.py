"""How long a device computes: its profile's model of time, over the counts of its work."""

from __future__ import annotations

from cosim.methods.workload import Workload
from cosim.physics.compute import compute_overhead_s, compute_time_flop_s, compute_time_paper_s
from cosim.scenario.profile import PaperTime, Profile


def compute_time_s(profile: Profile, work: Workload) -> float:
    """The time in s that a device of this profile computes for a local round, over its speed.

    `flop`: FLOP/(peak·utilisation) + passes·overhead + trained values·steps·update + ranked
    values·ranking. `paper`: ε·Q·N/B (arXiv 2602.20492, eq. 7).
    """
    model = profile.compute
    if isinstance(model, PaperTime):
        seconds = compute_time_paper_s(model.epsilon_s, work.trained, work.samples, work.batch_size)
    else:
        seconds = compute_time_flop_s(work.flop, profile.peak_flop_s, profile.utilisation)
        seconds = seconds + compute_overhead_s(
            work.passes,
            model.pass_overhead_s,
            work.trained * work.steps,
            model.value_update_s,
            work.ranked,
            model.value_ranking_s,
        )
    return float(seconds) / profile.speed


def flop_done(work: Workload, takes_s: float, until_s: float) -> int:
    """The FLOP of work that takes so long which are done by a moment before its end.

    What takes time besides FLOP, passes and updates, is spread evenly over them.
    """
    return int(work.flop * (until_s / takes_s if takes_s > 0 else 1.0))
