"""Patterns that are written so that they never end, and those that are not."""

import json
import re
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.cli import app as cli
from cosim.host.timed_regex import LIMIT_S, Expression, ExpressionError

ENDLESS = "(a|aa)+$"


@given(
    st.sampled_from(["#### (.+)", r"(\d+)\D*$", "([a-c])+b", r"^\s*(a|b)?", ".*", "q_proj|(b)"]),
    st.text("ab #1\n", max_size=30),
)
def test_patterns_find_what_pythons_own_find(pattern: str, text: str) -> None:
    for ours, theirs in (
        (Expression(pattern).search(text), re.search(pattern, text)),
        (Expression(pattern).fullmatch(text), re.fullmatch(pattern, text)),
    ):
        assert (ours and (ours.span(), ours.groups())) == (
            theirs and (theirs.span(), theirs.groups())
        )


def test_one_text_that_takes_without_end_is_refused_in_time() -> None:
    begun_s = process_time()
    with pytest.raises(ExpressionError, match=r"^'\(a\|aa\)\+\$' takes too long: more than 0\.5 s"):
        Expression(ENDLESS).search("a" * 100 + "b")
    assert process_time() - begun_s < 3 * LIMIT_S


def test_many_texts_that_take_long_each_are_refused_in_time() -> None:
    """22 letters take milliseconds: none of them alone would be refused."""
    pattern, begun_s = Expression(ENDLESS), process_time()

    def search_all() -> None:
        for _ in range(100_000):
            assert pattern.search("a" * 22 + "b") is None

    with pytest.raises(ExpressionError, match="takes too long"):
        search_all()
    assert process_time() - begun_s < 5 * LIMIT_S
    with pytest.raises(ExpressionError, match="takes too long"):  # and no time comes back
        pattern.search("a" * 60 + "b")


def test_a_pattern_that_recurses_takes_no_more_memory_than_it_may() -> None:
    with pytest.raises(ExpressionError, match="takes"):
        Expression("(?:(?R)a)*").search("a" * 100)


def test_an_honest_pattern_reads_as_many_rows_as_there_are() -> None:
    pattern = Expression("#### (.+)")
    row = "Natalia sold 48 clips in April, half as many in May. " * 5 + "#### 72"
    assert all(pattern.search(row)[1] == "72" for _ in range(100_000))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "line"),
    [("tasks.quiz.fields.answer_pattern", 8), ("adapter.target_modules", 3)],
)
def test_the_sentence_names_the_scenarios_line(
    tmp_path: Path,
    tiny_llama: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: str,
    line: int,
) -> None:
    answers = {
        "tasks.quiz.fields.answer_pattern": "(a|aa)+$",
        "adapter.target_modules": r"(.|..)+[^\w.]",
    }
    given_ = {name: pattern if name == where else "(.+)" for name, pattern in answers.items()}
    path = tmp_path / "slow.yaml"
    path.write_text(f"""\
rounds: 1
method: lora
adapter: {{target_modules: '{given_["adapter.target_modules"]}'}}
base_model: {{source: "path:{tiny_llama}"}}
tasks:
  quiz:
    source: "jsonl:rows.jsonl"
    fields: {{answer_pattern: '{given_["tasks.quiz.fields.answer_pattern"]}'}}
devices: [{{count: 1}}]
""")
    rows = [{"prompt": f"p{n}", "answer": "a" * 60 + "b"} for n in range(9)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for command in ("check", "run"):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["cosim", command, str(path)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == 2
        said = capsys.readouterr().err.strip()
        assert said.startswith(f"cosim: {path}:{line}: {where}: '{answers[where]}' takes too long")
        assert "\n" not in said
