"""Phases against the round table, whose times the simulation added up by itself."""

from collections import defaultdict
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.trace.reader import Run
from cosim.trace.schema import Cause, EventKind, EventRow
from cosim.views.spans import away_at, device_rounds, lanes, phases

ALL = [1, 2, 3, 4, 5]


def test_phases_add_up_to_the_times_of_the_round_table(played: Run) -> None:
    spans = device_rounds(played, ALL)
    assert len(spans) == len(played.rounds)
    total: dict[tuple[int, int, str], float] = defaultdict(float)
    for phase in phases(played, spans):
        total[phase.device, phase.round, phase.kind] += phase.end_s - phase.start_s
    for row in played.rounds.itertuples():
        for kind in ("compute", "send", "wait"):
            expected = getattr(row, f"{kind}_s")
            assert total[row.device, row.round, kind] == pytest.approx(expected, abs=1e-9)


def test_phases_tile_their_round_without_a_gap_or_an_overlap(played: Run) -> None:
    spans = device_rounds(played, ALL)
    found = phases(played, spans)
    for span in spans:
        own = [p for p in found if (p.device, p.round) == (span.device, span.round)]
        edges = [span.start_s, *(phase.end_s for phase in own)]
        assert [phase.start_s for phase in own] == edges[:-1]
        assert edges[-1] == span.end_s


def test_only_the_chosen_rounds(played: Run) -> None:
    assert {span.round for span in device_rounds(played, [2, 4])} == {2, 4}


def test_a_crashed_run_lasts_until_the_last_thing_known(crashed: Run) -> None:
    spans = device_rounds(crashed, [1, 2])
    assert [(s.device, s.round, s.start_s, s.end_s, s.row is None) for s in spans] == [
        (0, 1, 0.0, 4.0, False),
        (0, 2, 4.0, 5.5, True),
        (1, 1, 0.0, 5.5, True),
        (2, 1, 0.0, 5.5, True),
    ]
    assert [(p.device, p.kind, p.start_s, p.end_s) for p in phases(crashed, spans)] == [
        (0, "compute", 0.0, 1.0),
        (0, "send", 1.0, 3.0),
        (0, "wait", 3.0, 4.0),
        (0, "compute", 4.0, 5.0),
        (0, "wait", 5.0, 5.5),
        (1, "compute", 0.0, 1.5),  # cut off: it waits for nobody
        (2, "wait", 0.0, 3.5),
        (2, "send", 3.5, 5.5),  # begun, and never ended
    ]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6), st.integers(0, 4)), max_size=25),
)
def test_lanes_keep_what_overlaps_apart_and_waste_none(rows: list[tuple[int, int, int]]) -> None:
    columns = {"src": [], "dst": [], "start_s": [], "end_s": []}  # type: ignore[var-annotated]
    for number, (src, start, length) in enumerate(rows):
        for name, value in zip(columns, (src, number, start, start + length), strict=True):
            columns[name].append(value)
    table = pd.DataFrame(columns)
    table["lane"] = lanes(table)
    for _, some in table.groupby(["src", "lane"]):
        ordered = some.sort_values(["start_s", "end_s"])
        assert (ordered["start_s"].to_numpy()[1:] >= ordered["end_s"].to_numpy()[:-1]).all()
        instants = some[some["start_s"] == some["end_s"]]
        assert instants["start_s"].is_unique
    if len(table):
        begun_together = table.groupby(["src", "start_s"]).size().max()
        assert begun_together <= table["lane"].max() + 1 <= len(table)


def test_who_leaves_is_away_until_it_joins_and_has_no_phase_meanwhile(
    written: Callable[..., Run],
) -> None:
    kinds = {0.0: EventKind.PLAN, 1.5: EventKind.LEAVE, 2.5: EventKind.JOIN, 4.0: EventKind.PLAN}
    run = written([EventRow(t, 1, 1, kind, None, Cause.SCHEDULE) for t, kind in kinds.items()])
    assert [away_at(run, t) for t in (1.4, 1.5, 2.4, 2.5, 4.0)] == [set(), {1}, {1}, set(), set()]
    found = [
        (phase.kind, phase.start_s, phase.end_s) for phase in phases(run, device_rounds(run, [1]))
    ]
    assert found == [("wait", 0.0, 1.5), ("wait", 2.5, 4.0)]


def test_who_leaves_for_good_is_away_to_the_end(crashed: Run) -> None:
    assert away_at(crashed, 5.5) == {1}
