"""What `cosim sweep` tells: how long it will take, what runs came to, who is how far."""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from cosim.cli.sweep_progress import SweepProgress, _Pace
from cosim.comparison.figures import figures_of
from cosim.preflight.explain import explain
from cosim.sweeping.definition import Sweep, read_sweep
from cosim.sweeping.duration import Outlook, wall_s_left
from cosim.sweeping.index import Entry, completed_runs, known_results, write_index
from cosim.sweeping.progress import Progress
from cosim.sweeping.results import NO_RESULTS, Results, results_of
from cosim.sweeping.rounds import RoundTeller
from cosim.sweeping.run import play_sweep
from cosim.sweeping.state import State
from cosim.sweeping.watch import Watch
from cosim.sweeping.work import Assignment, play_assignment
from cosim.trace.reader import read_run

SWEEP = """\
scenario: small.yaml
seeds: [1, 2]
grid:
  method: {named: {plain LoRA: lora, a ring: {name: lora, topology: ring}}}
"""
NAMES = [f"method-{name}__seed-{seed}" for name in ("plain-LoRA", "a-ring") for seed in (1, 2)]
HERE = Path("runs/two")


@pytest.fixture
def sweep(scenario_file: Path) -> Sweep:
    path = scenario_file.with_name("two.sweep.yaml")
    path.write_text(SWEEP, encoding="utf-8")
    return read_sweep(path)


def entries(sweep: Sweep, *seconds: float | None) -> list[Entry]:
    """The runs of a sweep: completed in so many seconds, or pending."""
    states = [State.PENDING if taken is None else State.COMPLETED for taken in seconds]
    return [Entry(*one) for one in zip(sweep.points, states, seconds, strict=True)]


@pytest.mark.parametrize(
    ("seconds", "jobs", "elapsed_s", "left_s"),
    [
        ((None, None, None, None), 2, {}, None),
        ((4.0, 4.0, 6.0, 6.0), 2, {}, 0.0),
        ((10.0, None, None, None), 1, {}, 30.0),
        ((10.0, None, None, None), 2, {}, 20.0),
        ((10.0, None, 20.0, None), 1, {}, 30.0),  # each as its other seed
        ((10.0, 14.0, None, None), 1, {}, 24.0),  # both as the average
        ((10.0, None, None, None), 2, {NAMES[1]: 4.0, NAMES[2]: 1.0}, 16.0),
        ((10.0, None, 20.0, None), 2, {NAMES[1]: 99.0, NAMES[3]: 5.0}, 15.0),
    ],
)
def test_the_time_that_is_left(
    sweep: Sweep,
    seconds: Sequence[float | None],
    jobs: int,
    elapsed_s: dict[str, float],
    left_s: float | None,
) -> None:
    assert wall_s_left(entries(sweep, *seconds), jobs, elapsed_s) == left_s


@pytest.mark.parametrize(
    ("seconds", "projected", "left_s"),
    [
        # Two at a time, 4 s spent on each of the first two: they end at 6 and 16, others at 21, 31.
        ((None, None, None, None), {NAMES[0]: (10.0, 10.0), NAMES[1]: (20.0, 20.0)}, 31.0),
        # One that was resumed ends soon; another like it takes as long as from the start.
        ((None, None, None, None), {NAMES[0]: (10.0, 25.0)}, 6.0 + 3 * 25.0),
        # What its own other seed took counts before what its rounds come to.
        ((30.0, None, None, None), {NAMES[1]: (10.0, 10.0)}, 26.0 + 2 * 30.0),
        # Of another point its own rounds tell more than the first point's runs, for both its seeds.
        ((30.0, 30.0, None, None), {NAMES[2]: (10.0, 10.0)}, 6.0 + 10.0),
    ],
)
def test_rounds_tell_before_runs_have_ended(
    sweep: Sweep,
    seconds: Sequence[float | None],
    projected: dict[str, tuple[float, float]],
    left_s: float,
) -> None:
    elapsed_s = dict.fromkeys(projected, 4.0)
    outlooks = {name: Outlook(*ends_s) for name, ends_s in projected.items()}
    left = wall_s_left(entries(sweep, *seconds), len(projected), elapsed_s, outlooks)
    assert left == left_s


def test_rounds_that_are_played_again_are_no_pace() -> None:
    """Ninety rounds out of a journal in a second, then two of ten seconds, of a hundred in all."""
    pace = _Pace()
    pace.reach(1, 1.0)
    assert pace.outlook(100) is None, "set-up is no round"
    for number in range(2, 96):
        pace.reach(number, 1.0 + number / 90 if number < 91 else 2.0 + 10.0 * (number - 90))
    found = pace.outlook(100)
    assert found is not None
    assert found.end_s == pytest.approx(52.0 + 5 * 10.0)
    assert found.whole_s == pytest.approx(1.0 + 99 * 10.0)


def test_a_run_of_another_scenario_says_nothing_of_the_time(sweep: Sweep) -> None:
    differing = Entry(sweep.points[0], State.DIFFERS, 5.0)
    assert wall_s_left([differing, *entries(sweep, *[None] * 4)[1:]], 1) is None


class Scripted(Watch):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begins(self, entries: Sequence[Entry]) -> None:
        self.told.append([entry.state for entry in entries])

    def started(self, name: str) -> None:
        self.told.append(("started", name))

    def reached(self, name: str, round_: int) -> None:
        self.told.append((round_, name))

    def ended(self, entry: Entry) -> None:
        self.told.append(("ended", entry.point.name))


@pytest.mark.slow
def test_a_watch_hears_of_every_run_and_round(sweep: Sweep, tmp_path: Path) -> None:
    watch = Scripted()
    play_sweep(sweep, tmp_path / "s", 1, watch)
    steps = ("started", 1, 2, 3, "ended")
    assert watch.told == [["pending"] * 4, *((step, name) for name in NAMES for step in steps)]


def test_a_long_run_tells_of_some_of_its_rounds() -> None:
    told: list[Progress] = []
    teller = RoundTeller("long", 1000, told.append)
    for number in range(1, 1001):
        teller.closed(number, 1.0)
    assert told == [Progress("long", number) for number in range(10, 1001, 10)]


@pytest.mark.slow
def test_a_run_does_not_mind_that_nobody_listens(sweep: Sweep, tmp_path: Path) -> None:
    def gone(_: Progress) -> None:
        raise BrokenPipeError

    point = sweep.points[0]
    alone, heard = (tmp_path / name for name in ("alone", "heard"))
    assert play_assignment(Assignment(point.name, point.scenario, heard), gone).error is None
    assert play_assignment(Assignment(point.name, point.scenario, alone)).error is None
    hashes = [read_run(folder).manifest["results_sha256"] for folder in (alone, heard)]
    assert hashes[0] == hashes[1]


def test_a_live_display_says_who_is_how_far(sweep: Sweep) -> None:
    now_s = 0.0
    console = Console(file=StringIO(), width=200)
    progress = SweepProgress(console, "there", 2, lambda: now_s)
    assert progress.__rich__().plain == "looking at what the runs ask for"
    progress.begins(entries(sweep, None, None, None, None))
    progress.started(NAMES[0])
    progress.started(NAMES[1])
    assert progress.__rich__().plain.splitlines()[0] == "0 of 4 runs, 2 at a time"
    now_s = 50.0
    progress.reached(NAMES[1], 1)
    assert progress.__rich__().plain.splitlines()[0] == "0 of 4 runs, 2 at a time"
    now_s = 90.0
    progress.reached(NAMES[1], 2)
    # By its last two rounds the second ends at 130 s; the first is taken to be as long.
    assert progress.__rich__().plain.splitlines() == [
        "0 of 4 runs, 2 at a time, about 2:50 min left",
        f"{NAMES[0]}  round 0/3",
        f"{NAMES[1]}  round 2/3",
    ]
    now_s = 100.0
    results = Results(0.5, 12.34, 5.0, 7.0)
    progress.ended(Entry(sweep.points[0], State.COMPLETED, 100.0, results=results))
    now_s = 120.0
    progress.started(NAMES[2])
    now_s = 130.0
    assert progress.__rich__().plain.splitlines() == [
        "1 of 4 runs, 2 at a time, about 1:40 min left",
        f"{NAMES[1]}  round 2/3",
        f"{NAMES[2]}  round 0/3",
    ]
    progress.ended(Entry(sweep.points[1], State.FAILED, None, "no reason"))
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().splitlines() == [
        "4 runs in there; how long they take is not known yet",
        "by the first rounds: about 2:50 min left",
        f"1/4  completed  100.0 s  {NAMES[0]}  accuracy 0.500  energy 12.3 J  air 5.0 Mbit  "
        "simulated 7.00 s  left about 1:40 min",
        f"2/4  failed  {NAMES[1]}  left about 1:40 min",
    ]


def test_results_are_those_of_a_comparison_and_are_read_once(
    cosim: Any, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = play_assignment(Assignment("one", sweep.points[0].scenario, HERE / NAMES[0]))
    assert play.error is None
    figures = figures_of(read_run(HERE / NAMES[0]), None)
    found = results_of(HERE / NAMES[0])
    assert found == Results(figures.accuracy, figures.energy_j, figures.mbit, figures.simulated_s)
    assert found.accuracy is None, "nothing is learnt"
    assert found.energy_j
    assert results_of(Path("nowhere")) == NO_RESULTS
    done = Entry(sweep.points[0], State.COMPLETED, 1.25, results=found)
    write_index(HERE, sweep, [done, *entries(sweep, *[None] * 4)[1:]])
    row = pd.read_parquet(HERE / "runs.parquet").iloc[0]
    assert (row["energy_j"], row["mbit"], row["simulated_s"]) == (
        (found.energy_j, found.mbit, found.simulated_s)
    )
    assert pd.isna(row["accuracy"])
    assert known_results(HERE) == {(NAMES[0], 1.25): found}
    assert known_results(Path("nowhere")) == {}


@pytest.mark.slow
def test_names_are_those_of_the_index_and_of_a_comparison(cosim: Any, sweep: Sweep) -> None:
    for point in sweep.points[::2]:
        play_assignment(Assignment(point.name, point.scenario, HERE / point.name))
    ended = [Entry(point, State.COMPLETED, 1.0) for point in sweep.points[::2]]
    write_index(HERE, sweep, ended)
    assert pd.read_parquet(HERE / "runs.parquet")["method"].tolist() == ["plain LoRA", "a ring"]
    assert list(completed_runs(HERE).labels.values()) == ["plain LoRA", "a ring"]
    rows = json.loads(cosim("compare", HERE, "--format", "json").out)
    assert "plain LoRA" in json.dumps(rows)
    compared = cosim("compare", HERE)
    assert [line.split("  ")[0].strip() for line in compared.out.splitlines() if "ring" in line]
    twice = cosim("compare", HERE / sweep.points[0].name, HERE / sweep.points[2].name)
    assert "plain LoRA" not in twice.out


def test_a_dry_run_for_programs(cosim: Any, sweep: Sweep) -> None:
    assignment = Assignment(NAMES[0], sweep.points[0].scenario, HERE / NAMES[0])
    assert play_assignment(assignment).error is None
    (HERE / "sweep.yaml").write_text(sweep.dump(), encoding="utf-8")
    told = json.loads(cosim("sweep", "two.sweep.yaml", "--dry-run", "--json", "--jobs", 2).out)
    assert [run["name"] for run in told["runs"]] == NAMES
    assert [run["state"] for run in told["runs"]] == ["completed", *["pending"] * 3]
    assert told["runs"][3] == {
        "name": NAMES[3],
        "values": {"method": {"name": "lora", "topology": "ring"}},
        "names": {"method": "a ring"},
        "seed": 2,
        "state": "pending",
        "note": None,
    }
    assert (told["directory"], told["count"], told["to_play"]) == (str(HERE), 4, 3)
    assert told["seconds"] > 0
    refused = cosim("sweep", "two.sweep.yaml", "--json")
    assert refused.code == 2
    assert "add --dry-run" in refused.err


def test_a_sweep_is_called_after_its_file_and_its_other_directory_is_kept_to(
    cosim: Any, sweep: Sweep
) -> None:
    dry = cosim("sweep", "two.sweep.yaml", "--dry-run")
    assert dry.out.splitlines()[-1].startswith("4 runs in runs/two; how long")
    former = Path("runs/two.sweep")
    former.mkdir(parents=True)
    write_index(former, sweep, entries(sweep, None, None, None, None))
    (former / "sweep.yaml").write_text("", encoding="utf-8")
    dry = cosim("sweep", "two.sweep.yaml", "--dry-run")
    assert dry.out.splitlines()[-1].startswith("4 runs in runs/two.sweep; how long")
    assert "the runs of this sweep are in runs/two.sweep" in dry.err
    former.rename(HERE)
    assert cosim("sweep", "two.sweep.yaml", "--dry-run").err == ""


LEARNS = """\
rounds: 2
method: lora
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 4, alpha: 8}}
tasks: {{sums: {{dataset: chain_sum, samples: 20}}}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{samples: 2}}
devices: [{{count: 2, mobility: {{model: static}}}}]
"""


@pytest.mark.slow
def test_a_dry_run_times_a_few_steps_once(
    cosim: Any, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosim.profiling import wall_time

    timed: list[str] = []

    def once(scenario: Any) -> wall_time.Speeds:
        timed.append(scenario.method.name)
        return wall_time.Speeds(1e6, 1e6)

    Path("small.yaml").write_text(LEARNS.format(model=tiny_llama), encoding="utf-8")
    Path("two.sweep.yaml").write_text(SWEEP.replace("named: {", "named: {alone: local, "))
    told = cosim("sweep", "two.sweep.yaml", "--dry-run", "--timed")
    words = "6 runs in runs/two, about "
    assert told.out.splitlines()[-1].startswith(words)
    assert "by a few steps and questions that were timed now" in told.out
    monkeypatch.setattr(wall_time, "timed_speeds", once)
    told = json.loads(cosim("sweep", "two.sweep.yaml", "--dry-run", "--timed", "--json").out)
    assert len(timed) == 1, "one model, one adapter"
    points = read_sweep(Path("two.sweep.yaml")).points
    explained = [explain(point.scenario) for point in points if point.seed == 1]
    flop = 2 * sum(  # of the first seed, for both
        # Two rounds, then each of two devices after each of them, and the base model once.
        2 * sum(work.flop for work in one.work) + (2 * 2 + 1) * (one.scoring_flop or 0.0)
        for one in explained
    )
    assert told["seconds"] == pytest.approx(flop / 1e6)
    assert cosim("sweep", "two.sweep.yaml", "--timed").code == 2


def test_what_learns_nothing_has_no_steps_to_be_timed(cosim: Any, sweep: Sweep) -> None:
    told = cosim("sweep", "two.sweep.yaml", "--dry-run", "--timed")
    assert told.out.splitlines()[-1].endswith("how long they take is not known yet")
