"""The manifest is always valid JSON and always whole."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cosim.errors import RunDirectoryError
from cosim.trace.manifest import MANIFEST_FILE, Status, read_manifest, write_manifest


def test_round_trip_and_replacement(tmp_path: Path) -> None:
    write_manifest(tmp_path, {"status": Status.RUNNING, "seed": 3})
    write_manifest(
        tmp_path,
        {
            "status": Status.COMPLETED,
            "seed": np.int64(3),
            "scenario": Path("a/b.yaml"),
            "versions": {"torch": "2.13.0"},
            "threads": (1, 2),
        },
    )
    assert read_manifest(tmp_path) == {
        "status": "completed",
        "seed": 3,
        "scenario": "a/b.yaml",
        "versions": {"torch": "2.13.0"},
        "threads": [1, 2],
    }
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST_FILE]


def test_non_finite_numbers_become_null(tmp_path: Path) -> None:
    write_manifest(tmp_path, {"wall_s": math.nan, "deep": [{"x": math.inf}, np.float32("-inf")]})

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (tmp_path / MANIFEST_FILE).read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=refuse) == {"wall_s": None, "deep": [{"x": None}, None]}


def test_a_value_without_json_form_leaves_the_previous_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path, {"status": Status.RUNNING})
    with pytest.raises(TypeError):
        write_manifest(tmp_path, {"status": object()})
    assert read_manifest(tmp_path) == {"status": "running"}
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST_FILE]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read"), ("{", "not valid JSON"), ("[1]", "holds a list")],
)
def test_unreadable_manifests_are_refused(
    tmp_path: Path, content: str | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / MANIFEST_FILE).write_text(content)
    with pytest.raises(RunDirectoryError, match=sentence):
        read_manifest(tmp_path)
