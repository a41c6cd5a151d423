"""From text to padded rows: what is scored, and that padding changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.data.encoding import Encoded, encode, encode_all, token_rows

tokens = st.lists(st.integers(0, 399), min_size=1, max_size=7).map(tuple)
rows = st.lists(st.none() | st.builds(Encoded, tokens, tokens), min_size=1, max_size=6).filter(any)


@given(rows)
def test_answer_positions_predict_the_answer(given_rows: list[Encoded | None]) -> None:
    found = token_rows(given_rows)
    flat = found.input_ids.flatten().tolist()
    width = found.input_ids.shape[1]
    wanted = []
    for number, row in enumerate(given_rows):
        if row is None:
            assert not found.input_ids[number].any()
            continue
        whole = row.prompt + row.answer
        assert found.input_ids[number].tolist() == [*whole[:-1], *[0] * (width - row.tokens)]
        for at in range(len(row.prompt), len(whole)):
            wanted.append((number, whole[at - 1], whole[at]))
    got = [
        (number, flat[position], target)
        for number, position, target in zip(
            found.row.tolist(), found.positions.tolist(), found.targets.tolist(), strict=True
        )
    ]
    assert got == wanted
    assert (found.positions // width).tolist() == found.row.tolist()
    assert width == max(row.tokens for row in given_rows if row is not None)


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_qwen2"])
def test_padding_on_the_right_changes_no_real_token(
    name: str, request: pytest.FixtureRequest
) -> None:
    model = AdaptedModel(load(f"path:{request.getfixturevalue(name)}", "float32").model)
    random = torch.Generator().manual_seed(5)
    given_rows = [
        Encoded(*(tuple(torch.randint(400, (n,), generator=random).tolist()) for n in lengths))
        for lengths in [(3, 1), (11, 4), (1, 2), (6, 9)]
    ]
    with torch.no_grad():
        together = model.logits(model.hidden(token_rows(given_rows).input_ids))
        for number, row in enumerate(given_rows):
            alone = model.logits(model.hidden(token_rows([row]).input_ids))
            assert alone.shape[1] == row.tokens
            torch.testing.assert_close(
                together[number, : row.tokens], alone[0], atol=1e-5, rtol=1e-5
            )


def test_prompt_and_answer_join_with_one_space(tiny_tokenizer: Any) -> None:
    question = "Question: what is the sum of 12 and 30?\nAnswer:"
    row = encode(tiny_tokenizer, question, "42 é", terminated=True)
    assert tiny_tokenizer.decode([*row.prompt, *row.answer]) == f"<s>{question} 42 é</s>"
    assert row.answer[-1] == tiny_tokenizer.eos_token_id
    assert tiny_tokenizer.bos_token_id == row.prompt[0]
    assert tiny_tokenizer.bos_token_id not in row.answer
    assert row.tokens == len(row.prompt) + len(row.answer) - 1
    choice = encode(tiny_tokenizer, question, "42 é", terminated=False)
    assert (choice.prompt, choice.answer) == (row.prompt, row.answer[:-1])


def test_rows_given_at_once_are_encoded_as_one_by_one(tiny_tokenizer: Any) -> None:
    rows = [("the sum of 12 and 30", "42", True), ("é?", "a b", False), ("the sum", "7", False)]
    found = encode_all(tiny_tokenizer, rows)
    for (prompt, answer, terminated), row in zip(rows, found, strict=True):
        before = tuple(tiny_tokenizer(prompt)["input_ids"])
        after = tuple(tiny_tokenizer(f" {answer}", add_special_tokens=False)["input_ids"])
        assert row.prompt == before
        assert row.answer == after + (tiny_tokenizer.eos_token_id,) * terminated
    assert encode_all(tiny_tokenizer, []) == []


def test_rows_go_to_the_device_asked_for(tiny_llama: Path) -> None:
    base = load(f"path:{tiny_llama}", "float32")
    found = token_rows([encode(base.tokenizer, "a", "b", terminated=True)], base.device)
    placed = (found.input_ids, found.positions, found.targets, found.row)
    assert {part.device for part in placed} == {base.device}
    assert {part.dtype for part in placed} == {torch.long}
