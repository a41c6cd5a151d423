"""The command line called in this process, a scenario that takes milliseconds, and one that
learns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cosim.cli import app as cli
from cosim.lifecycle import play

SCENARIO = """\
seed: 7
rounds: 3
learning: none
method: proposed_single_cluster
devices:
  - count: 3
    profile: flagship_phone
    mobility: {model: static}
radio:
  bandwidth_hz: 20.0e6
  fading: {model: block}
"""


LEARNING = """\
seed: 2
rounds: 1
method: {method}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
  the products: {{dataset: products, samples: 20, parameters: {{max_digits: 1}}}}
training: {{steps: 2, batch_size: 2, learning_rate: 0.02}}
evaluation: {{every: 1, samples: 2}}
devices:
  - {{count: 3, mobility: {{model: static}}}}
radio: {{bandwidth_hz: 1.0e9, fading: {{model: none}}}}
"""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def cosim(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Calls `cosim` with arguments, as from a shell in a new directory."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["cosim", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        return Ended(code if isinstance(code, int) else 0, *capsys.readouterr())

    return call


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    """Three devices at rest, three rounds, no learning."""
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


@pytest.fixture
def played(
    cosim: Command, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Path, Any]]:
    """Plays a method with the tiny Llama; returns the run's directory and its learner."""

    def run(method: str, *arguments: str) -> tuple[Path, Any]:
        learners: list[Any] = []
        build: Any = vars(play)["build_learner"]

        def build_learner(scenario: Any) -> Any:
            learners.append(build(scenario))
            return learners[-1]

        monkeypatch.setattr(play, "build_learner", build_learner)
        Path("tiny.yaml").write_text(
            LEARNING.format(method=method, model=tiny_llama), encoding="utf-8"
        )
        ended = cosim("run", "tiny.yaml", "--quiet", "--out", "run", *arguments)
        assert (ended.code, ended.err) == (0, "")
        return Path("run"), learners[0]

    return run
