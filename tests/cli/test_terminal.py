"""What a person sees in a terminal, and the numbers behind it."""

import math
from io import StringIO

import pandas as pd
import pyarrow as pa
import pytest
from rich.console import Console

from cosim.cli.accuracy_table import accuracy_by_task, accuracy_table
from cosim.cli.summary import (
    departures,
    divergence,
    ending,
    isolation,
    starvation,
)
from cosim.learning.records import Measurement, Score
from cosim.observers.progress import LiveProgress, PlainProgress, progress_for
from cosim.observers.tally import Tally, clock_text
from cosim.trace.schema import EventRow, RoundRow, TransferKind, TransferOutcome, TransferRow


def round_row(loss: float | None, energy: float) -> RoundRow:
    numbers = dict.fromkeys(RoundRow._fields, 0)
    energies = {f"energy_{part}_j": energy for part in ("compute", "tx", "rx", "idle")}
    return RoundRow(**{**numbers, **energies, "loss": loss})  # type: ignore[arg-type]


def transfer(outcome: TransferOutcome) -> TransferRow:
    numbers = dict.fromkeys(TransferRow._fields, 0)
    return TransferRow(**{**numbers, "kind": TransferKind.UPDATE, "outcome": outcome})  # type: ignore[arg-type]


def feed(display: Tally) -> None:
    for loss in (1.0, 2.0):
        display.saw(round_row(loss, 0.5))
    for outcome in TransferOutcome:
        display.saw(transfer(outcome))
    # A beacon that is lost is nothing that is missed.
    display.saw(transfer(TransferOutcome.LATE)._replace(kind=TransferKind.BEACON))
    display.closed(1, 2.5)


def test_the_numbers_are_sums_and_means() -> None:
    tally = Tally(4)
    feed(tally)
    assert tally.words() == {
        "round": "1/4",
        "simulated": "2.50 s",
        "loss": "1.500",
        "energy so far": "4.0 J",
        "missed so far": "3 of 4",
    }
    tally.saw(round_row(None, 0.0))
    tally.closed(2, 5.0)
    assert "loss" not in tally.words()


def test_what_is_left_is_told_by_the_last_rounds_and_not_by_the_first() -> None:
    # The first round ends after 100 s; the others take 1, 2, 3, … s of the host's clock.
    instants = iter([100.0, 101.0, 103.0, 106.0, 110.0, 115.0])
    tally = Tally(6, lambda: next(instants))
    left_s = []
    for number in range(1, 7):
        tally.closed(number, 0.0)
        left_s.append(tally.left_s)
        assert ("left" in tally.words()) == (tally.left_s is not None)
    # Of round 5 the last four spans: (1 + 2 + 3 + 4) / 4.
    assert left_s == [None, 4 * 1.0, 3 * 1.5, 2 * 2.0, 2.5, None]


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [(7.6, "8 s"), (59.6, "1:00 min"), (70, "1:10 min"), (3599.6, "1:00 h"), (7490, "2:05 h")],
)
def test_a_wall_time_in_words(duration_s: float, words: str) -> None:
    assert clock_text(duration_s) == words


def test_a_pipe_gets_lines_and_a_terminal_a_bar() -> None:
    pipe, terminal = Console(file=StringIO()), Console(file=StringIO(), force_terminal=True)
    assert isinstance(progress_for(pipe, 3), PlainProgress)
    assert isinstance(progress_for(terminal, 3), LiveProgress)


def test_the_bar_shows_the_numbers_and_is_left_alone_after_an_error() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=160, color_system="standard")
    display = progress_for(console, 4)

    def interrupted() -> None:
        with display:
            feed(display)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    shown = out.getvalue()
    assert "1/4 · " in shown
    assert "\x1b[2mround \x1b[0m" in shown, "the names are dim, the numbers are not"
    assert shown.rstrip().endswith("\x1b[?25h"), "the cursor is back"


def test_nothing_else_is_counted() -> None:
    tally = Tally(1)
    tally.saw(EventRow(0.0, 1, 0, "plan", None, "schedule"))  # type: ignore[arg-type]
    tally.scored(0, list[Measurement]())
    assert (tally.energy_j, tally.transfers, tally.accuracy) == (0.0, 0, None)


def test_starvation_is_to_expect_and_never_receive() -> None:
    rows = [(0, 1, 0, 1), (0, 0, 0, 2), (1, 0, 0, 2), (1, 0, 0, 2), (2, 0, 0, 0), (3, 0, 1, 2)]
    rounds = pd.DataFrame(rows, columns=["device", "received", "stale", "missed"])
    assert starvation(rounds) == ["never received an update: device 1"]
    assert starvation(rounds[rounds["device"] != 1]) == []


def test_isolation_is_to_be_alone_where_others_are_not() -> None:
    rows = [(1, 0, 2), (1, 1, 2), (1, 2, 1), (1, 3, 1), (2, 0, 2), (2, 1, 1), (2, 2, 1), (2, 3, 2)]
    topology = pd.DataFrame(rows, columns=["round", "device", "cluster_size"])
    assert isolation(topology) == [
        "isolated in every round: device 2",
        "isolated in some rounds, 2 in all: devices 1, 3",
    ]
    assert isolation(topology[topology["device"] == 0]) == []
    alone = topology[topology["device"] == 2]
    assert isolation(alone) == ["isolated in every round: device 2"]
    assert isolation(alone, exchanges=False) == []


def test_a_run_that_ends_early_says_so() -> None:
    rounds = pd.DataFrame({"round": [1, 1, 2]})
    assert ending(rounds, 12) == ["ended after round 2 of 12"]
    assert ending(rounds, 2) == []


def test_departures_tell_empty_batteries_absences_and_lost_rounds() -> None:
    rows = [
        (1.5, 3, "leave", "battery_empty"),
        (1.0, 2, "leave", "battery_empty"),
        (0.5, 0, "leave", "availability"),
        (0.7, 0, "join", "availability"),
        (0.9, 0, "leave", "availability"),
        (0.5, 0, "cut_off", "availability"),
    ]
    events = pd.DataFrame(rows, columns=["time_s", "device", "kind", "cause"])
    assert departures(events) == [
        "out of power: devices 3, 2, the first at 1.00 s",
        "left 2 times: device 0",
        "rounds lost by devices that were cut off: 1",
    ]
    assert departures(events.iloc[:0]) == []


def test_accuracy_is_a_mean_over_devices_of_the_headline_in_the_order_of_the_tasks() -> None:
    rows = [
        (0, 0, "zeta", "exact_match", 0.25),
        (0, 1, "zeta", "exact_match", 0.75),
        (0, 0, "alpha", "acc", 1.0),
        (2, 0, "zeta", "exact_match", 1.0),
        (2, 0, "alpha", "acc", 0.5),
        (2, 0, "alpha", "loss", 9.0),
    ]
    columns = ["round", "device", "task", "metric", "value"]
    table = accuracy_by_task(pd.DataFrame(rows, columns=columns))
    assert list(table.index) == ["zeta", "alpha"]
    assert table.to_numpy().tolist() == [[0.5, 0.875], [1.0, 0.5]]
    assert accuracy_by_task(pd.DataFrame([], columns=columns)).empty


@pytest.mark.parametrize("width", [24, 40, 80, 200])
@pytest.mark.parametrize("evaluations", [1, 2, 9, 31])
def test_the_last_accuracy_is_on_every_screen(width: int, evaluations: int) -> None:
    """However many evaluations there are, no number is cut, and the last is there."""
    rounds = range(0, 2 * evaluations, 2)
    values = {round_: [0.1 + round_ / 1000, 0.8] for round_ in rounds}
    values[rounds[-1]] = [0.123, 0.457]
    accuracy = pd.DataFrame(values, index=["a_rather_long_name_of_a_task", "sums"])
    out = StringIO()
    Console(file=out, width=width).print(accuracy_table("run", accuracy, width))
    shown = out.getvalue()
    assert all(len(line) <= width for line in shown.splitlines())
    for word in (f"round {rounds[-1]}", "0.123", "0.457", "0.290"):
        assert word in shown
    cells = [
        cell.strip()
        for line in shown.splitlines()
        if line.startswith("│")
        for cell in line.split("│")[2:-1]
    ]
    assert cells
    assert all(len(cell) == 5 and float(cell) >= 0 for cell in cells), "each is a whole number"
    if width == 200 and evaluations == 31:
        # 31 do not fit; the first and the best average are among those that do.
        assert "round 0 " in shown
        assert f"round {rounds[-2]}" in shown
        assert "of 31 evaluations" in shown


def test_an_accuracy_of_an_earlier_round_says_so() -> None:
    tally = Tally(4)
    tally.scored(0, [Measurement(0, "sums", Score("acc", 0.25, 4, headline=True))])
    tally.closed(1, 1.0)
    assert tally.words()["accuracy"] == "0.250 @0"
    tally.scored(2, [Measurement(0, "sums", Score("acc", 0.5, 4, headline=True))])
    tally.closed(2, 2.0)
    assert tally.words()["accuracy"] == "0.500"


def test_a_loss_that_is_no_number_is_told_with_device_and_round() -> None:
    losses = {(0, 1): 2.0, (1, 1): math.nan, (0, 2): None, (1, 2): math.nan, (2, 2): math.inf}
    table = pa.table(
        {
            "device": [device for device, _ in losses],
            "round": [round_ for _, round_ in losses],
            "loss": pa.array(list(losses.values()), pa.float64(), from_pandas=False),
        }
    )
    assert divergence(table) == [
        "diverged: device 1 has no finite loss from round 1 on",
        "diverged: device 2 has no finite loss from round 2 on",
    ]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_narrow_terminal_still_shows_every_number(width: int) -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    with LiveProgress(12, console) as display:
        feed(display)
        display.scored(1, [])
    shown = out.getvalue()
    for number in ("round 1/12", "2.50 s", "loss 1.500", "4.0 J", "missed 3 of 4"):
        assert number in shown
