"""A machine whose durations follow the model of time exactly."""

from cosim.methods.workload import Workload

LAW = {"flop_s": 4.0e7, "pass_s": 0.05, "update_s": 2.0e-6, "ranking_s": 3.0e-6}


def lawful_s(work: Workload) -> float:
    """The duration of a job on a machine that the model of time describes exactly."""
    return (
        work.flop / LAW["flop_s"]
        + work.passes * LAW["pass_s"]
        + work.trained * work.steps * LAW["update_s"]
        + work.ranked * LAW["ranking_s"]
    )
