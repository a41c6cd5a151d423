"""Looking from Python: at a scenario before, at runs after."""

import math
from pathlib import Path

import pytest

import cosim
from cosim.cli.app import app
from cosim.comparison.figures import evaluated_rounds, figures_of
from cosim.trace.schema import EVERY_SCHEMA
from tests.calls.conftest import NETWORK


@pytest.mark.slow
def test_a_run_shows_itself_in_a_line(still: cosim.Run, learnt: cosim.Run) -> None:
    assert repr(still) == "Run(run: proposed_single_cluster, seed 7, completed, 3 rounds)"
    accuracy = figures_of(learnt, None).accuracy
    assert repr(learnt) == f"Run(run: lora, seed 7, completed, 2 rounds, accuracy {accuracy:.3f})"


def test_a_run_shows_itself_in_a_notebook(still: cosim.Run, learnt: cosim.Run) -> None:
    shown, page = still._repr_html_(), learnt._repr_html_()
    assert shown is not None
    assert "<svg" not in shown
    assert page is not None
    assert "<script" not in page
    assert page.count("<path") == 4, "a line and dots of each task"
    for word in ("sums", "more", "lora", "completed", "simulated seconds"):
        assert word in page


def test_a_broken_run_shows_itself(tmp_path: Path, still: cosim.Run) -> None:
    (tmp_path / "manifest.json").write_text('{"status": "completed"}', encoding="utf-8")
    (tmp_path / "scenario.yaml").write_text("", encoding="utf-8")
    run = cosim.read_run(tmp_path)
    assert repr(run) == f"Run({tmp_path.name}: ?, seed ?, completed, ? rounds)"
    assert run._repr_html_() is None


def test_accuracy_is_a_row_a_scored_round_and_task(learnt: cosim.Run) -> None:
    course = learnt.accuracy()
    assert list(course.columns) == [
        *("round", "time_s", "energy_j", "bits", "task", "mean", "std", "devices")
    ]
    assert course["task"].tolist() == ["sums", "more"] * 3
    assert course["round"].tolist() == [0, 0, 1, 1, 2, 2]
    points = evaluated_rounds(learnt)
    assert course.groupby("round")["mean"].mean().tolist() == points["accuracy"].tolist()
    spent = course.drop_duplicates("round")
    assert spent["energy_j"].tolist() == points["energy_j"].tolist()
    assert spent["bits"].iloc[-1] == learnt.rounds["bits_sent"].sum()
    rows = learnt.evaluations
    last = rows[(rows["round"] == 2) & (rows["task"] == "sums") & (rows["metric"] == "exact_match")]
    assert course["mean"].iloc[-2] == last["value"].mean()
    assert course["devices"].tolist() == [2] * 6


def test_where_nothing_is_learnt_there_is_no_accuracy(still: cosim.Run) -> None:
    assert still.accuracy().empty


def test_costs_are_what_the_rounds_say(still: cosim.Run) -> None:
    by_round, by_device = still.costs(), still.costs("device")
    assert by_round["round"].tolist() == [1, 2, 3]
    assert by_device["device"].tolist() == [0, 1, 2]
    energy_j = still.rounds.filter(regex="^energy_").to_numpy().sum()
    for costs in (by_round, by_device):
        assert costs["energy_j"].sum() == pytest.approx(energy_j, rel=1e-12)
        assert costs["bits"].sum() == still.transfers["sent_bits"].sum()
        assert costs["missed"].sum() == still.rounds["missed"].sum()
    assert by_round["time_s"].iloc[-1] == still.rounds["end_s"].max()
    assert by_round.attrs["units"]["energy_j"] == "J"
    assert by_round.attrs["units"]["bits"] == "bit"


def test_every_table_has_the_units_of_its_schema(still: cosim.Run) -> None:
    for name in EVERY_SCHEMA:
        frame = getattr(still, name)
        assert frame.attrs["units"] == still.units(name)
        assert list(frame.attrs["units"]) == list(frame.columns)


def test_a_check_reads_as_the_command_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explanation = cosim.check(NETWORK, set={"radio.bandwidth_hz": 1e3})
    text = repr(explanation)
    assert len(text.splitlines()) == len(explanation.facts) + len(explanation.warnings)
    assert any(line.startswith("payload ") for line in text.splitlines())
    assert explanation.warnings
    assert f"warning: {explanation.warnings[0]}" in text


def test_a_verification_reads_as_the_command_does(still: cosim.Run) -> None:
    verified = cosim.verify(still)
    assert verified.ok
    assert str(verified).splitlines()[0].startswith("files      ok: ")
    assert repr(verified).endswith(f" of {len(verified)} checks made, nothing wrong)")
    assert repr(verified).startswith("Verified(")
    assert repr(cosim.verify(still.directory)) == repr(verified)


def test_a_verification_finds_what_is_wrong(tmp_path: Path) -> None:
    run = cosim.run(NETWORK, tmp_path / "run")
    (run.directory / "topology.parquet").unlink()
    verified = cosim.verify(run)
    assert not verified.ok
    assert "WRONG" in str(verified)
    assert " failed: " in repr(verified)
    assert "\n" not in repr(verified)


def test_a_comparison_is_tables_of_numbers(tmp_path: Path, still: cosim.Run) -> None:
    others = [
        cosim.run(NETWORK, tmp_path / str(seed), seed=seed, set={"radio.deadline_s": 9.0})
        for seed in (7, 8)
    ]
    compared = cosim.compare([still, *(run.directory for run in others)], budget="5s,10J")
    table = compared.table
    assert table["seeds"].tolist() == [1, 2]
    assert math.isnan(table["energy_j_half_width"][0])
    energies = [figures_of(run, None).energy_j for run in others]
    assert table["energy_j"][1] == pytest.approx(sum(energies) / 2)
    (difference,) = compared.differences["energy_j"]
    assert difference == energies[0] - figures_of(still, None).energy_j
    assert table.attrs["units"]["energy_j"] == table.attrs["units"]["energy_j_half_width"] == "J"
    assert compared.runs["seed"].tolist() == [7, 7, 8]
    assert any("missing seed 8" in note for note in compared.notes)
    for shown in (repr(compared), compared._repr_html_()):
        assert "deadline_s=9" in shown
        assert "missing seed 8" in shown
    assert compared.written("csv").count("\n") == 4


def test_where_no_run_is_there_is_a_sentence(tmp_path: Path) -> None:
    for call in (cosim.compare, cosim.verify, cosim.read_run, cosim.report):
        with pytest.raises(cosim.CosimError, match="is not a run"):
            call(tmp_path)


def test_a_report_is_written_of_a_run_or_its_directory(still: cosim.Run, tmp_path: Path) -> None:
    assert cosim.report(still.directory, tmp_path / "page.html") == tmp_path / "page.html"
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_every_command_about_runs_is_a_call() -> None:
    commands = {str(command.name) for command in app.registered_commands if command.name}
    commands |= {
        command.callback.__name__ for command in app.registered_commands if command.callback
    }
    calls = {"run", "resume", "check", "sweep", "compare", "verify", "report"}
    calls |= {"plot", "ask", "evaluate"}
    assert calls <= commands
    assert calls <= set(cosim.__all__)
