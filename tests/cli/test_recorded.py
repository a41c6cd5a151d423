"""Strangers' trace files from the command line: a stray date, degrees, a trace that ends."""

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Command

SCENARIO = """\
rounds: 3
learning: {{model: none, payload_bits: 2000000, flop: 1.0e12}}
method: {{name: lora, topology: {{graph: random, degree: 1}}}}
area: {{shape: disc, radius_m: 1000}}
devices:
  - {{count: {count}, mobility: {{model: trace, path: {path}{more}}}, availability: {stays}}}
radio: {{bandwidth_hz: 10.0e6, deadline_s: 2.0}}
"""


def write(path: str, text: str, count: int = 2, stays: str = "always", more: str = "") -> str:
    Path(path).write_text(text, encoding="utf-8")
    told = SCENARIO.format(path=path, count=count, stays=stays, more=more)
    Path("s.yaml").write_text(told, encoding="utf-8")
    return "s.yaml"


def table(*rows: str, seconds: int = 120, since: int = 1_701_360_000) -> str:
    walks = (f"{since + t},{n},{t},{y}" for t in range(seconds) for n, y in (("a", 0), ("b", 20)))
    return "\n".join(["time_s,device,x_m,y_m", *rows, *walks])


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("date", [0, 9_999_999_999])
def test_one_fix_of_another_time(cosim: Command, date: int) -> None:
    scenario = write("walk.csv", table(f"{date},a,0,0"), stays="trace")
    said = f"walk.csv: 1 sample is left out, being at a time far from all others, {date} s"
    checked = cosim("check", scenario)
    assert checked.code == 0
    assert said in words(checked.out)
    ended = cosim("run", scenario, "--out", "r")
    assert ended.code == 0
    assert said in words(ended.out + ended.err)
    assert pd.read_parquet("r/rounds.parquet")["end_s"].max() < 60
    assert len(pd.read_parquet("r/positions.parquet")) < 200


FCD = "{head}<fcd-export>\n{steps}</fcd-export>\n"
HEAD = '<!-- SUMO\n<output><fcd-output.geo value="true"/></output>\n-->\n'


def fcd(head: str) -> str:
    steps = (
        f'<timestep time="{t}">'
        + "".join(
            f'<vehicle id="{name}" x="{11.34 + 1e-4 * t:.6f}" y="{y}" speed="8.00"/>'
            for name, y in (("a", 44.5), ("b", 44.5002))
        )
        + "</timestep>\n"
        for t in range(60)
    )
    return FCD.format(head=head, steps="".join(steps))


def test_degrees_of_sumo_s(cosim: Command) -> None:
    ended = cosim("run", write("out.xml", fcd("")), "--out", "r")
    assert ended.code == 2
    assert "its places look like degrees" in ended.err
    assert "degrees: true" in ended.err
    assert "Traceback" not in ended.err
    pytest.importorskip("pyproj")
    assert cosim("run", write("out.xml", fcd(HEAD)), "--out", "r").code == 0
    # 2e-4 degrees of latitude are 22.2 m.
    transfers = pd.read_parquet("r/transfers.parquet")
    assert transfers["distance_m"].max() == pytest.approx(22.2, abs=0.1)


def test_a_trace_that_ends_and_devices_that_never_come(cosim: Command) -> None:
    # Three rounds take about half a second each at least, and the trace a second.
    scenario = write("walk.csv", table(seconds=2, since=0) + "\n500,c,1,1\n501,c,2,2", count=3)
    Path("s.yaml").write_text(
        Path("s.yaml").read_text(encoding="utf-8").replace("always", "trace"), encoding="utf-8"
    )
    checked = cosim("check", scenario)
    assert "there only when the run may be over" in words(checked.out)
    scenario = write("walk.csv", table(seconds=2, since=0), more=", after_end: stay")
    assert "the trace walk.csv covers 0 to 1 s; the run may go beyond" in words(
        cosim("check", scenario).out
    )
    ended = cosim("run", scenario, "--out", "r")
    assert "warning: the trace walk.csv ended at 1 s: 2 devices stood still" in words(
        ended.out + ended.err
    )


def test_other_names_are_mapped(cosim: Command) -> None:
    text = table().replace("time_s,device,x_m,y_m", "time,id,x,y")
    refused = cosim("check", write("walk.csv", text))
    assert refused.code == 2
    assert "perhaps columns: {time_s: time, device: id, x_m: x, y_m: y}" in words(refused.err)
    columns = ", columns: {time_s: time, device: id, x_m: x, y_m: y}"
    assert cosim("check", write("walk.csv", text, more=columns)).code == 0
    mixed = ", columns: {time_s: time, device: 1}"
    refused = cosim("check", write("walk.csv", text, more=mixed))
    assert refused.code == 2
    assert "either names, or numbers" in words(refused.err)
    bad = cosim("check", write("walk.csv", text, more=", columns: {time: time}"))
    assert bad.code == 2
    blanks = "".join(f"{t} {t} 0\n" for t in range(60))
    by_number = ", separator: blanks, columns: {time_s: 0, x_m: 1, y_m: 2}"
    assert cosim("check", write("walk.txt", blanks, count=1, more=by_number)).code == 0
