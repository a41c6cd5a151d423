"""A run as it was played is verified; for each law, a copy that breaks it is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.verification.tampering import TAMPERED

CHECKS = [
    "files", "schema", "time", "devices", "transfers", "rounds",
    "tiles", "bits", "energy", "answers", "hash", "adapters", "outside",
]  # fmt: skip


def test_a_run_as_it_was_played(verify: Any, played: Path) -> None:
    before = {path.name: path.read_bytes() for path in played.iterdir()}
    code, told, err = verify(played)
    assert (code, err) == (0, "")
    assert list(told)[:-1] == CHECKS
    assert all(told[name].startswith("ok: ") for name in CHECKS)
    assert told[str(played) + ":"] == "13 of 13 checks made, nothing wrong"
    assert {path.name: path.read_bytes() for path in played.iterdir()} == before


def test_what_is_not_a_run_is_refused(verify: Any, played: Path, tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "absent", "is not a directory"),
        (tmp_path, "has no manifest.json"),
        (played.parent, f"such as {played}"),
        (played / "scenario.yaml", "is not a directory"),
    ):
        code, told, err = verify(path)
        assert (code, told) == (2, {})
        assert err.startswith("cosim: ")
        assert said in err


@pytest.mark.slow
@pytest.mark.parametrize("case", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_table_is_refused(
    copy: Path, edit: Any, verify: Any, case: tuple[str, Any, str, str]
) -> None:
    table, change, check, said = case
    edit(table, change)
    code, told, err = verify(copy)
    assert (code, err) == (1, "")
    assert told[check].startswith("WRONG: "), told
    assert re.search(said, told[check], re.MULTILINE), told[check]
    # Whatever was changed, the hash shows it.
    assert told["hash"].startswith("WRONG: ")
    assert "checks failed" in told[str(copy) + ":"]


def test_a_long_list_of_findings_is_cut(copy: Path, edit: Any, verify: Any) -> None:
    edit("transfers", lambda frame: frame.assign(mean_rate_bit_s=-1.0))
    _, told, _ = verify(copy)
    lines = told["bits"].splitlines()
    assert len(lines) == 6
    assert re.fullmatch(r"WRONG: and \d+ more", lines[-1])


def test_every_check_of_the_tables_has_a_case() -> None:
    others = {"files", "schema", "answers", "adapters", "outside"}
    assert {case[2] for case in TAMPERED.values()} == set(CHECKS) - others
