"""Two methods that really learnt, set beside each other question by question."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import cosim
from cosim.comparison.groups import compare
from cosim.comparison.questions import AnswerDifference, by_question

SCENARIO = """\
rounds: 2
method: local
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6}}
tasks:
  parity: {{source: "jsonl:{rows}", fields: {{prompt: "{{q}}", answer: parity, choices: c}}}}
  size: {{source: "jsonl:{rows}", fields: {{prompt: "{{n}}: ", answer: size, choices: s}}}}
training: {{steps: 12, batch_size: 4, learning_rate: 0.05}}
evaluation: {{every: 2, samples: 8}}
devices: [{{count: 2, mobility: {{model: static}}}}]
trace: {{adapters: false}}
"""


def accuracy(run: Path) -> float:
    """Mean over tasks of the mean over devices, from the table of scores."""
    scores = pq.read_table(run / "evaluations.parquet").to_pylist()
    last = [row["value"] for row in scores if row["round"] == 2 and row["metric"] == "acc"]
    assert len(last) == 2 * 2
    return float(sum(last) / 4)


@pytest.mark.slow
def test_the_difference_by_question_is_that_of_the_scores(tiny_llama: Path, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    rows = [
        {
            "q": f"Is {n} odd or even? ",
            "parity": ("even", "odd")[n % 2],
            "c": ["even", "odd"],
            "n": f"Number {n}",
            "size": ("small", "large")[n > 60],
            "s": ["small", "large"],
        }
        for n in range(120)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    text = SCENARIO.format(model=tiny_llama, rows=tmp_path / "rows.jsonl")
    path.write_text(text, encoding="utf-8")
    runs = []
    for method in ("local", "lora"):
        for seed in (1, 2):
            scenario = cosim.load_scenario(path, [f"method={method}", f"seed={seed}"])
            runs.append(cosim.run(scenario, out=tmp_path / f"{method}-{seed}"))
    first, second = compare(runs).groups
    found = by_question(second, first)
    assert isinstance(found, AnswerDifference)
    scored = [accuracy(run.directory) for run in runs]
    assert found.mean == pytest.approx((scored[2] + scored[3] - scored[0] - scored[1]) / 2)
    assert (found.seeds, found.questions) == (2, 16)
    assert found.low <= found.mean <= found.high
    assert len(set(scored)) > 1
