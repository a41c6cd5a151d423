"""Prompt and answer are one text: tokenizers that mark a text's beginning or end, or neither."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from cosim.errors import TaskError
from cosim.learning.data.encoding import encode, encode_all
from cosim.scenario.learning import TaskChoice
from tests.learning.small_learners import load_pool

WORDS = ["cat", "sat", "mat", "yes", "no", "on", "q"]
UNDERSCORE = "\u2581"


def marked_words(**settings: Any) -> Any:
    """A tokenizer built as Llama 2's is: ▁ before each text, and for every blank."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, UNDERSCORE: 3}
    merges = []
    for word in WORDS:
        left = UNDERSCORE
        for letter in word:
            vocabulary.setdefault(letter, len(vocabulary))
            if left + letter not in vocabulary:
                vocabulary[left + letter] = len(vocabulary)
                merges.append((left, letter))
            left += letter
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(UNDERSCORE), normalizers.Replace(" ", UNDERSCORE)]
    )
    tokenizer.decoder = decoders.Metaspace()
    return wrapped(tokenizer, unk_token="<unk>", **settings)


def wrapped(tokenizer: Tokenizer, single: str | None = None, **settings: Any) -> Any:
    if single is not None:
        ends = [(end, tokenizer.token_to_id(end)) for end in ("<s>", "</s>")]
        tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=ends)
    names = {"bos_token": "<s>", "eos_token": "</s>"} | settings
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def with_template(tokenizer: Any, single: str, **settings: Any) -> Any:
    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    return wrapped(copy, single, **settings)


def pair_of_the_harness(tokenizer: Any, context: str, continuation: str) -> tuple[Any, Any]:
    """Written from the description of lm-evaluation-harness' `_encode_pair`."""
    blanks = len(context) - len(context.rstrip())
    if blanks:
        continuation = context[-blanks:] + continuation
        context = context[:-blanks]
    whole = tokenizer(context + continuation, add_special_tokens=False)["input_ids"]
    alone = tokenizer(context, add_special_tokens=False)["input_ids"]
    return tuple(alone), tuple(whole[len(alone) :])


def test_an_answer_has_no_sign_of_a_texts_beginning() -> None:
    tokenizer = marked_words()
    row = encode(tokenizer, "cat sat mat", "yes", terminated=False)
    pieces = tokenizer.convert_ids_to_tokens([*row.prompt, *row.answer])
    assert pieces == [f"{UNDERSCORE}{word}" for word in ("cat", "sat", "mat", "yes")]
    assert len(row.answer) == 1


@pytest.mark.parametrize("scheme", ["always", "first", "never"])
def test_metaspace_of_every_scheme(scheme: Any) -> None:
    tokenizer = marked_words()
    tokenizer.backend_tokenizer.normalizer = None
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    row = encode(tokenizer, "cat sat", "no", terminated=True)
    assert tokenizer.convert_ids_to_tokens(row.answer) == [f"{UNDERSCORE}no", "</s>"]


@pytest.mark.parametrize("kind", ["marked", "bytes"])
def test_tokens_are_the_harnesss(tiny_tokenizer: Any, kind: str) -> None:
    tokenizer = marked_words() if kind == "marked" else tiny_tokenizer
    before = () if kind == "marked" else (tiny_tokenizer.bos_token_id,)
    dice = random.Random(3)
    rows = []
    for _ in range(200):
        words = dice.choices([*WORDS, "mat.", "12", "é", "the sum"], k=dice.randint(1, 6))
        end = dice.choice(["", " ", "  ", "\n", ":", " \n"])
        rows.append((" ".join(words) + end, dice.choice(["yes", "no on", "42", "a\nb"]), False))
    for (prompt, answer, _), row in zip(rows, encode_all(tokenizer, rows), strict=True):
        alone, rest = pair_of_the_harness(tokenizer, prompt, f" {answer}")
        assert (row.prompt, row.answer) == (before + alone, rest)


def test_candidates_and_training_rows_have_the_same_prompt(tiny_tokenizer: Any) -> None:
    rows = [("the sum of ", answer, end) for answer, end in (("12", True), ("30", False))]
    one, two = encode_all(tiny_tokenizer, rows)
    assert one.prompt == two.prompt == tuple(tiny_tokenizer("the sum of")["input_ids"])


@pytest.mark.parametrize("single", ["<s> $A </s>", "<s> $A", "$A </s>", "$A"])
def test_nothing_that_ends_a_text_is_between_prompt_and_answer(
    tiny_tokenizer: Any, single: str
) -> None:
    tokenizer = with_template(tiny_tokenizer, single)
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    for prompt in ("the sum of 12 and 30?", "<s>the sum"):
        row = encode(tokenizer, prompt, "42", terminated=True)
        own = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        starts = "<s>" in single or prompt.startswith("<s>")
        assert row.prompt == (begin,) * starts + tuple(token for token in own if token != begin)
        assert end not in row.prompt + row.answer[:-1]
        assert row.answer[-1] == end
        assert begin not in row.answer


def test_one_token_for_both_ends_stays_at_the_front(tiny_tokenizer: Any) -> None:
    tokenizer = with_template(tiny_tokenizer, "</s> $A", bos_token="</s>")
    row = encode(tokenizer, "the sum", "42", terminated=True)
    end = tokenizer.eos_token_id
    assert (row.prompt[0], row.answer[-1]) == (end, end)
    assert end not in row.prompt[1:] + row.answer[:-1]


def write(path: Path, rows: Sequence[dict[str, Any]]) -> TaskChoice:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TaskChoice(source=f"jsonl:{path}")


def test_without_an_end_of_text_token_there_are_choices_alone(
    tiny_tokenizer: Any, tmp_path: Path
) -> None:
    tokenizer = with_template(tiny_tokenizer, "<s> $A", eos_token=None)
    sizes = {"seed": 1, "test_samples": 3, "max_tokens": 99}
    chosen = [{"prompt": f"p {n}", "choices": ["a", "b"], "answer": 0} for n in range(20)]
    pool = load_pool("quiz", write(tmp_path / "a.jsonl", chosen), tokenizer, **sizes)
    assert all(token is not None for row in pool.train for token in row.answer)
    free = write(tmp_path / "b.jsonl", [*chosen, {"prompt": "p", "answer": "a"}])
    with pytest.raises(TaskError) as refused:
        load_pool("quiz", free, tokenizer, **sizes | {"test_samples": 1})
    assert str(refused.value) == (
        "tasks.quiz: the base model's tokenizer has no end-of-text token, with which a free answer "
        "ends; choose another base_model, or give the rows choices"
    )


@pytest.mark.parametrize("choices", [None, ["yes</s>", "no"]])
def test_an_end_of_text_token_in_an_answer_is_refused(
    tiny_tokenizer: Any, tmp_path: Path, choices: list[str] | None
) -> None:
    rows = [{"prompt": f"p {n}", "choices": choices, "answer": "yes</s>"} for n in range(9)]
    with pytest.raises(TaskError, match=r"^tasks\.quiz: the answer 'yes</s>' holds the end-of-tex"):
        load_pool(
            "quiz",
            write(tmp_path / "a.jsonl", rows),
            tiny_tokenizer,
            seed=1,
            test_samples=3,
            max_tokens=99,
        )


def test_a_text_without_tokens_is_refused() -> None:
    tokenizer = wrapped(Tokenizer(models.WordLevel({"a": 0, "</s>": 1, "<s>": 2}, unk_token="?")))
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("b", "")
    with pytest.raises(ValueError, match="the prompt 'b' has no token of its own"):
        encode(tokenizer, "b", "a", terminated=False)
    with pytest.raises(ValueError, match="the answer 'b' has no token of its own"):
        encode(tokenizer, "a", "b", terminated=False)


def test_a_line_break_that_is_one_token_with_the_words_before_is_not_lost() -> None:
    vocabulary = {"<s>": 0, "</s>": 1, "?": 2, "\n": 3, "?\n": 4, " ": 5, "y": 6, " y": 7, "q": 8}
    tokenizer = wrapped(Tokenizer(models.BPE(vocabulary, [("?", "\n"), (" ", "y")])))
    for prompt, pieces in (("q?\n", ["q", "?\n"]), ("q?", ["q", "?"]), ("q? ", ["q", "?"])):
        row = encode(tokenizer, prompt, "y", terminated=False)
        assert tokenizer.convert_ids_to_tokens(row.prompt) == pieces
        whole = tokenizer(f"{prompt} y", add_special_tokens=False)["input_ids"]
        assert [*row.prompt, *row.answer] == whole
