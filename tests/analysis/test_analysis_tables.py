"""Tables I and II, and accuracy over cost, against numbers worked out by hand."""

import accuracy_vs_cost
import pytest
import table1
import table2

T2 = 4.302652729911275  # t(0.975) with two degrees of freedom
LORA, PROPOSED = (0.5, 0.6, 0.7), (0.6, 0.65, 0.8)
ROWS = [
    {"method": method, "seed": seed, "accuracy": (0.1, value)}
    for method, values in (("lora", LORA), ("proposed", PROPOSED))
    for seed, value in enumerate(values, start=1)
]


def test_table1(sweep, table, drawn):
    local = [{"method": "local", "seed": s, "accuracy": (0.1, 0.4)} for s in (1, 2, 3)]
    found = table(table1, sweep([*ROWS, *local]))
    lora, proposed = found.loc["lora"], found.loc["proposed"]
    assert lora["average"] == pytest.approx(0.6)
    assert (lora["one"], lora["two"]) == (pytest.approx(0.65), pytest.approx(0.55))
    assert lora["average_half"] == pytest.approx(T2 * 0.1 / 3**0.5, rel=1e-4)
    assert proposed["gain"] == pytest.approx(0.25 / 3, rel=1e-4)
    spread = ((2 * (0.1 - 0.25 / 3) ** 2 + (0.05 - 0.25 / 3) ** 2) / 2) ** 0.5
    assert proposed["gain_half"] == pytest.approx(T2 * spread / 3**0.5, rel=1e-4)
    assert proposed["gain_relative"] == pytest.approx(0.25 / 3 / 0.6, rel=1e-4)
    # B has 200 values, A 60, of which the masked method trains and sends 20.
    assert (lora["updated"], proposed["updated"]) == (260, 20)
    assert lora["update_mbit"] == pytest.approx(260 * 16 / 1e6)
    assert proposed["update_mbit_saved"] == pytest.approx(1 - 20 / 260, rel=1e-4)
    assert lora["gbit"] == pytest.approx(1.5 * 260 * 16 / 1e9)
    assert lora["device_round_mbit"] == pytest.approx(0.75 * 260 * 16 / 1e6)
    # `local` sends no A that could be counted; its size is taken from `lora`.
    assert (found.loc["local", "updated"], found.loc["local", "gbit"]) == (260, 0)
    texts = [text.get_text() for panel in drawn().axes for text in panel.texts]
    assert "65.0" in texts
    assert "68.3" in texts


def test_table1_refuses_a_reference_that_is_not_there(sweep, tmp_path, capsys):
    with pytest.raises(SystemExit):
        table1.main([str(sweep(ROWS)), "--out", str(tmp_path / "t"), "--reference", "lori"])
    assert "no completed run of 'lori'; there are lora, proposed" in capsys.readouterr().err


def test_table2_asks_devices_their_own_task(sweep, table):
    rows = [{"method": "local", "seed": seed, "accuracy": (0, 0.5)} for seed in (1, 2)]
    found = table(table2, sweep(rows), "--projection", "60").loc["local"]
    assert (found["one"], found["two"]) == (pytest.approx(0.57), pytest.approx(0.47))
    assert found["average"] == pytest.approx(0.52)
    assert (found["average_half"], found["updated"]) == (pytest.approx(0), 260)


def test_table2_refuses_runs_that_exchange(sweep, tmp_path, capsys):
    with pytest.raises(SystemExit):
        table2.main([str(sweep(ROWS)), "--out", str(tmp_path / "t")])
    assert "devices exchange" in capsys.readouterr().err


def test_accuracy_is_compared_at_equal_cost(sweep, table):
    rows = [{**row, "joules": 10.0 if row["method"] == "lora" else 20.0} for row in ROWS]
    found = table(accuracy_vs_cost, sweep(rows), by=["cost", "method"])
    energy = found.loc[("energy_j", "proposed")].set_index("at")
    # 20 J in all, read at 40 places: at the 14th of 39 steps, 7.18 J, on the line to 0.683 at 20 J.
    at = energy.index[14]
    assert at == pytest.approx(20 * 14 / 39, rel=1e-4)
    slope = ((0.6 + 0.65 + 0.8) / 3 - 0.1) / 20
    assert energy["accuracy"].iloc[14] == pytest.approx(0.1 + slope * at, rel=1e-3)
    lora = found.loc[("energy_j", "lora")].set_index("at")
    assert lora.index.max() == pytest.approx(20 * 19 / 39, rel=1e-4)
    ahead = energy["accuracy"].iloc[14] - lora["accuracy"].iloc[14]
    assert energy["gain"].iloc[14] == pytest.approx(ahead, rel=1e-3)
    assert energy["gain"].iloc[30:].isna().all()
    seconds = found.loc[("simulated_s", "lora")]
    assert seconds["at"].max() == pytest.approx(2.0)
    assert seconds["accuracy"].iloc[-1] == pytest.approx(0.6)


def test_a_method_that_sends_nothing_is_level_over_bits(sweep, table):
    local = [{"method": "local", "seed": s, "accuracy": (0.1, 0.4)} for s in (1, 2, 3)]
    found = table(accuracy_vs_cost, sweep([*ROWS, *local]), by=["cost", "method"])
    level = found.loc[("gbit", "local")]
    assert level["free"].all()
    assert level["accuracy"].eq(0.4).all()
    assert found.loc[("gbit", "lora"), "at"].max() == pytest.approx(1.5 * 260 * 16 / 1e9)
