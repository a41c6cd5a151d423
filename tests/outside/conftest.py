"""What lives outside the package: methods with a scenario that a tiny model plays in a second, and
packages that Python finds while a test lasts."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import cosim
from tests.outside.air_package import install, site_packages

__all__ = ["cosim"]
HERE = Path(__file__).parent
EXAMPLES = ("trimmed_mean", "drift_triggered")
SCENARIO = """\
seed: 1
rounds: {rounds}
method: {method}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 4}}
tasks:
  sums: {{dataset: chain_sum, samples: 40, parameters: {{max_terms: 2, max_digits: 1}}}}
training: {{steps: 2, batch_size: 3, learning_rate: 0.01, max_tokens: 200}}
evaluation: {{samples: 4}}
devices: [{{count: 4, profile: flagship_phone, mobility: static}}]
area: {{shape: square, side_m: 50}}
"""

Scenario = Callable[..., Path]


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The name of a method whose file lies in the test's directory."""
    shutil.copy(HERE / f"{request.param}.py", tmp_path)
    return str(request.param)


@pytest.fixture
def scenario(tmp_path: Path, tiny_llama: Path) -> Scenario:
    """Writes a scenario of four devices that plays a method."""

    def write(method: str, rounds: int = 3) -> Path:
        path = tmp_path / "scenario.yaml"
        text = SCENARIO.format(method=method, rounds=rounds, model=tiny_llama)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder of packages that Python finds; nothing is installed there yet."""
    folder = tmp_path / "site"
    folder.mkdir()
    with site_packages(folder):
        yield folder


@pytest.fixture
def air(site: Path) -> Path:
    """The module of the installed package."""
    return install(site)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a scenario and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "s.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
