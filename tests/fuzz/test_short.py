"""A short fuzzing, and what the long ones found, held for good."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mutate
import pytest

from cosim.cli import app as cli
from cosim.errors import CosimError, MobilityError, ScenarioError, SweepError, TaskError
from cosim.learning.base.base_model import locate
from cosim.learning.data.files import jsonl_parts
from cosim.learning.data.procedural import procedural_examples
from cosim.mobility.recorded.read import TraceReading, read_trace
from cosim.scenario.catalogue import named_profile
from cosim.scenario.learning import Fields, TaskChoice
from cosim.scenario.load import load
from cosim.sweeping.index import completed_runs
from cosim.trace.reader import read_run

HERE = Path(__file__).parent
SMALL = "rounds: 1\nlearning: none\nmethod: lora\n"


@pytest.mark.slow
def test_a_short_fuzzing_finds_nothing() -> None:
    command = [sys.executable, str(HERE / "fuzz.py"), "--scenarios", "110", "--files", "70"]
    done = subprocess.run(
        [*command, "--seed", "3"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("0 findings\n")
    # Not everything is refused: what is behind the loader is tried, too.
    assert all(" ok" in line for line in done.stdout.splitlines()[:2]), done.stdout


def test_the_guard_sees_what_it_must(tmp_path: Path) -> None:
    """In a process of its own: an audit hook stays for good."""
    script = f"""
import os, subprocess, sys, time
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
import guard
guard.LIMIT_S = 0.2
(out := Path({str(tmp_path)!r}) / "out").mkdir()
watch = guard.Guard(out)
def swallowed():
    try:
        open(out.parent / "outside", "w")
    except BaseException:
        pass
def loop():
    while True:
        pass
def refuse(text):
    raise guard.CosimError(text)
for action in (
    lambda: (out / "inside").write_text("x"),
    lambda: (out.parent / "outside").write_text("x"),
    swallowed,
    lambda: (out / ".." / "folder").mkdir(),
    lambda: subprocess.run(["true"]),
    loop,
    lambda: bytearray(7 << 30),
    lambda: 1 / 0,
    lambda: refuse("a sentence"),
    lambda: refuse(" "),
):
    print(watch.call(action)[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n")[:-1] == [
        "ok", "escape", "escape", "escape", "escape", "hang", "MemoryError", "ZeroDivisionError",
        "refused", "empty message",
    ], done.stderr  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def refusal(action: Callable[[], Any], kind: type[CosimError]) -> str:
    began = time.process_time()
    with pytest.raises(kind) as refused:
        action()
    assert time.process_time() - began < 5.0
    return str(refused.value)


def test_whatever_a_message_quotes_it_is_printable_and_short() -> None:
    said = str(TaskError("\x1b[31mred\x07 " + "x" * 5000 + "\nnext\u2028line"))
    first, second = said.split("\n")
    assert first.startswith(" [31mred  xxx")
    assert len(first) < 1100
    assert second == "next line"


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "a\0b", "x" * 400, "/dev/null"])
def test_a_path_that_is_none_is_refused_by_whoever_reads_it(name: str) -> None:
    refusal(lambda: jsonl_parts("quiz", TaskChoice(source=f"jsonl:{name}")), TaskError)
    refusal(lambda: named_profile(f"path:{name}"), ScenarioError)
    refusal(lambda: read_trace(Path(name)), MobilityError)
    refusal(lambda: locate(f"path:{name}"), CosimError)
    refusal(lambda: read_run(name), CosimError)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for format_ in ("auto", "csv", "ns2", "gpx", "sumo_fcd"):
        said = refusal(partial(read_trace, pipe, TraceReading(format=format_)), MobilityError)
        assert said == f"{pipe}: is no regular file; name a file that holds a trace"
    assert "no regular file" in refusal(lambda: named_profile(f"path:{pipe}"), ScenarioError)
    refusal(lambda: jsonl_parts("quiz", TaskChoice(source=f"jsonl:{pipe}")), TaskError)
    endless = TraceReading(format="csv")
    assert "no regular file" in refusal(lambda: read_trace(Path("/dev/zero"), endless), CosimError)


@pytest.mark.slow
def test_many_mistakes_take_no_longer_than_few(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(
        SMALL + "devices: [{count: 1}]\n" + "".join(f"k{n}: 1\n" for n in range(20_000))
    )
    said = refusal(lambda: load(path), ScenarioError)
    assert said.startswith(f"{path}:5: k0: unknown key")
    assert said.endswith("\nand 19995 more")


def test_more_devices_than_memory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text(f"{SMALL}devices: [{', '.join(['{count: 100000}'] * 11)}]\n")
    assert refusal(lambda: load(path), ScenarioError) == (
        f"{path}:4: devices: 1100000 devices in all; expected at most 1000000"
    )


@pytest.mark.parametrize("end", [" " * 200_000 + "x", ";" * 200_000 + "x", " ;" * 100_000 + "# c"])
def test_blanks_in_a_movement_script_take_no_square_of_time(tmp_path: Path, end: str) -> None:
    path = tmp_path / "walk.ns2"
    path.write_text(f"$node_(0) set X_ 1\n$node_(0) set Y_ 1\n$ns_ at 1 {end}\n")
    assert f"{path}:3: " in refusal(
        lambda: read_trace(path, TraceReading(format="ns2")), MobilityError
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        # Python 3.11 reads no list so deep, 3.12 does: then it is a prompt that is no text.
        ('{"prompt": ' + "[" * 990 + "]" * 990 + ', "answer": "x"}', "rows.jsonl:1: tasks.quiz: "),
        ('{"prompt": ' + "[" * 100_000, "nested too deep"),
        ('{"prompt": "p", "answer": {"²": [1]}}', "no 'answer.²' in the row"),
        ('{"prompt": "p", "answer": [1]}', "no 'answer.²' in the row"),
    ],
)
def test_rows_of_an_odd_kind_are_one_sentence(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(row.replace('{"²": [1]}', '{"a": [1]}') + "\n", encoding="utf-8")
    fields = Fields(answer="answer.²" if "²" in said else "answer")
    task = TaskChoice(source=f"jsonl:{path}", fields=fields)
    assert said in refusal(lambda: jsonl_parts("quiz", task), TaskError)


def test_whatever_a_generator_of_tasks_raises_is_one_sentence() -> None:
    task = TaskChoice(dataset="chain_sum", parameters={"min_digits": 1e308})
    said = refusal(lambda: next(procedural_examples("sums", task, 1, "train")), TaskError)
    assert said.startswith("tasks.sums.parameters: chain_sum ")


def test_a_band_of_next_to_nothing_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "narrow.yaml"
    ring = SMALL.replace("lora", "{name: lora, topology: ring}")
    path.write_text(f"{ring}devices: [{{count: 3}}]\nradio: {{bandwidth_hz: 1.0e-3}}\n")
    monkeypatch.setattr("sys.argv", ["cosim", "check", str(path)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code in (None, 0)
    assert "no finite power" in " ".join(capsys.readouterr().out.split())


def test_a_name_of_digits_is_no_index(tmp_path: Path) -> None:
    """An error that begins with a task's name is told with its line, whatever the name."""
    from cosim.scenario.complaints.blame import blaming
    from cosim.scenario.load import load_with_document

    for name in ("1" * 900, "7", "²", "٣"):
        path = tmp_path / "names.yaml"
        tasks = f'tasks:\n  ? "{name}"\n  : {{dataset: x}}\n'
        path.write_text(f"rounds: 1\nmethod: lora\ndevices: [{{count: 1}}]\n{tasks}")
        _, document = load_with_document(path)
        with pytest.raises(TaskError, match=r"names\.yaml:5: "), blaming(document):
            raise TaskError(f"tasks.{name}: is odd")


def test_a_table_that_is_no_index_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"directory": ["x"]}), tmp_path / "runs.parquet")
    assert "it lacks 'status'" in refusal(lambda: completed_runs(tmp_path), SweepError)


def test_aliases_that_laugh_and_tags_that_run_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "laughs.yaml"
    for text, said in (
        (f"{SMALL}{mutate.LAUGHS}\n", "holds more than 100000 values"),
        (f"{SMALL}name: !!python/object/apply:os.system [x]\n", "is not used in scenarios"),
        (f"{SMALL}name: {'[' * 60}\n", "is nested deeper than 50 levels"),
        (f"{SMALL}name: ../../outside\n", "name: expected text that matches"),
    ):
        path.write_text(text)
        assert said in refusal(lambda: load(path), ScenarioError)


def test_entities_that_laugh_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "laughs.xml"
    inner = '<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    kinds: tuple[tuple[str, Any], ...] = (("fcd-export", "sumo_fcd"), ("gpx", "gpx"))
    for root, format_ in kinds:
        path.write_text(f"{inner}<{root}>&b;</{root}>")
        said = refusal(partial(read_trace, path, TraceReading(format=format_)), MobilityError)
        assert said == f"{path}:1: has a DOCTYPE, which a trace must not have"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("radio: {bandwidth_hz: 5.0e-324}", "radio.bandwidth_hz: expected a number ≥ 0.001"),
        ("radio: {deadline_s: 1.0e-300}", "radio.deadline_s: expected a number ≥ 1e-9"),
        ("trace: {positions_every_s: 5.0e-324}", "trace.positions_every_s: expected a number ≥"),
    ],
)
def test_numbers_that_arithmetic_turns_to_nothing_are_refused(
    tmp_path: Path, section: str, expected: str
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(f"{SMALL}devices: [{{count: 2}}]\n{section}\n", encoding="utf-8")
    assert refusal(lambda: load(path), ScenarioError).startswith(f"{path}:5: {expected}")
