"""Shares of a pass that take their steps side by side."""

import signal
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from threading import Event, main_thread
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import Reading, reading
from cosim.learning.training.lesson import Lesson
from cosim.learning.training.pass_room import PassRoom
from cosim.learning.training.shares import shares, slices
from cosim.learning.training.trainer import GroupTrainer, TrainingSettings
from cosim.methods.adapter import Adapter
from cosim.methods.expansion.gradient_mask import GradientMask
from cosim.methods.layout import Layout
from cosim.methods.projection.gaussian import gaussian_projection

STEPS = 3


@pytest.fixture
def threads() -> Iterator[Any]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model(tiny_llama: Path) -> AdaptedModel:
    return AdaptedModel(load(f"path:{tiny_llama}", "float32").model)


def trainer_of(model: AdaptedModel) -> GroupTrainer:
    settings = TrainingSettings(
        scale=2.0,
        density=0.25,
        learning_rate=1e-2,
        optimizer="adamw",
        weight_decay=0.0,
        trainable_projection=False,
        expansion=GradientMask(),
    )
    return GroupTrainer(model, Layout(model.modules, 4), torch.float32, settings)


def lessons(trainer: GroupTrainer, tokens: Sequence[int]) -> list[Lesson]:
    """Of one row a step, of so many tokens each."""
    random = np.random.default_rng(3)
    found = []
    for device, length in enumerate(tokens):
        blank = torch.zeros(0, dtype=torch.long)
        adapter = Adapter(blank.float(), blank, gaussian_projection(trainer.layout, 1, device))
        rows = [
            Encoded(
                tuple(random.integers(5, 200, length).tolist()), (int(random.integers(5, 200)),)
            )
            for _ in range(STEPS)
        ]
        found.append(Lesson(adapter, tuple((row,) for row in rows)))
    return found


@pytest.mark.parametrize(
    ("tokens", "wanted"),
    [
        ([5], [[0]]),
        ([5, 5], [[0], [1]]),
        ([5, 6], [[0, 1]]),
        ([5, 5, 5], [[0, 1, 2]]),
        ([145, 344, 261, 146, 344, 276], [[0, 1, 5], [2, 3, 4]]),
        ([100, 103, 1], [[1], [0, 2]]),
    ],
)
def test_lessons_are_cut_in_two_of_equal_work_or_not_at_all(
    tokens: list[int], wanted: list[list[int]]
) -> None:
    assert shares(tokens) == wanted


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_every_lesson_has_one_share(tokens: list[int]) -> None:
    cut = shares(tokens)
    assert sorted(number for share in cut for number in share) == list(range(len(tokens)))
    if len(cut) > 1:
        sums = [sum(tokens[number] for number in share) for share in cut]
        assert max(sums) <= 1.05 * sum(tokens) / 2


def test_what_rows_begin_with_alike_is_read_once(model: AdaptedModel) -> None:
    (lesson,) = lessons(trainer_of(model), [9])
    rows = (Encoded((1, 2, 3, 4), (5, 6)), Encoded((1, 2, 7), (8,)), Encoded((1, 2, 9, 9), (9,)))
    other = Lesson(lesson.adapter, (rows, rows), others=((rows[:1], rows[:1]),))
    assert (lesson.tokens, other.tokens) == (9 * STEPS, 2 * ((2 + 3 + 1 + 2) + 5))


def test_it_does_not_matter_how_many_threads_there_are(model: AdaptedModel, threads: Any) -> None:
    trainer = trainer_of(model)
    given_ = lessons(trainer, [9, 14, 6, 5, 14, 10])
    found = []
    assert len(shares([lesson.tokens for lesson in given_])) == 2
    for count in (1, 2, 4):
        threads(count)
        found.append(trainer.train(given_))
        assert torch.get_num_threads() == count
    for one, other, third, lesson in zip(*found, given_, strict=True):
        assert torch.equal(one.adapter.values, other.adapter.values)
        assert torch.equal(one.adapter.values, third.adapter.values)
        assert one.adapter.support is not None
        assert other.adapter.support is not None
        assert torch.equal(one.adapter.support, other.adapter.support)
        assert torch.equal(one.adapter.projection, lesson.adapter.projection)
        assert one.loss == other.loss
    alone = [trainer.train([lesson])[0] for lesson in given_]
    for one, other in zip(found[0], alone, strict=True):
        # Float32 sums in another order, which AdamW amplifies where a gradient is near zero.
        torch.testing.assert_close(one.adapter.values, other.adapter.values, rtol=0, atol=2e-5)


def readings(random: np.random.Generator, lengths: Sequence[Sequence[int]]) -> list[list[Reading]]:
    return [
        [reading(Encoded(tuple(random.integers(5, 200, n).tolist()), (5, 6))) for n in of_lesson]
        for of_lesson in lengths
    ]


@given(st.lists(st.lists(st.integers(1, 400), max_size=9), min_size=1, max_size=6))
def test_every_row_has_one_slice_and_slices_are_as_even_as_rows_allow(
    lengths: list[list[int]],
) -> None:
    rows = readings(np.random.default_rng(5), lengths)
    cut = slices(rows)
    for number, of_lesson in enumerate(rows):
        assert [row for part in cut for row in part[number]] == of_lesson
    sums = [sum(len(row.tokens) for row in chain(*part)) for part in cut]
    longest = max((len(row.tokens) for row in chain(*rows)), default=0)
    assert max(sums) <= sum(sums) / len(sums) + longest
    assert len(cut) == 1 or sum(sums) >= 128


def test_what_is_read_in_slices_is_learnt_as_in_one(model: AdaptedModel, threads: Any) -> None:
    trainer = trainer_of(model)
    random = np.random.default_rng(9)
    given_ = []
    for device, count in enumerate((9, 2)):
        rows = [
            Encoded(tuple(random.integers(5, 200, 20).tolist()), (int(random.integers(5, 200)),))
            for _ in range(STEPS * count)
        ]
        batches = tuple(tuple(rows[step::STEPS]) for step in range(STEPS))
        blank = torch.zeros(0, dtype=torch.long)
        A = gaussian_projection(trainer.layout, 1, device)
        given_.append(Lesson(Adapter(blank.float(), blank, A), batches))
    assert len(shares([lesson.tokens for lesson in given_], STEPS)) == 1
    batch = [[reading(row) for row in lesson.batches[0]] for lesson in given_]
    assert len(slices(batch)) == 2
    found = []
    for count in (1, 2, 4):
        threads(count)
        found.append(trainer.train(given_))
    for one, *others in zip(*found, strict=True):
        for other in others:
            assert torch.equal(one.adapter.values, other.adapter.values)
            assert one.loss == other.loss
    trainer.room = PassRoom(side_by_side=False)
    for one, whole in zip(found[0], trainer.train(given_), strict=True):
        assert one.adapter.support is not None
        assert whole.adapter.support is not None
        assert torch.equal(one.adapter.support, whole.adapter.support)
        torch.testing.assert_close(one.adapter.values, whole.adapter.values, rtol=0, atol=2e-5)
        assert one.loss == pytest.approx(whole.loss, rel=1e-5)


def test_many_tokens_are_cut_into_more_shares_that_two_cores_share_evenly() -> None:
    assert [len(shares([tokens] * 16, 1)) for tokens in (64, 255, 256, 512, 4096)] == [
        2,
        2,
        4,
        8,
        16,
    ]
    assert len(shares([512] * 10, 1)) == 4
    assert len(shares([5120] * 10, 10)) == 4
    for tokens in ([512] * 10, [1400, 600, 1024, 1200, 1024, 1024, 1800]):
        cut = shares(tokens, 1)
        folded = shares([sum(tokens[number] for number in share) for share in cut], 10**6)
        assert len(cut) > 2
        assert len(folded) == 2


def test_passes_are_trained_together_as_one_after_the_other(
    model: AdaptedModel, threads: Any
) -> None:
    threads(2)
    trainer = trainer_of(model)
    groups = [lessons(trainer, tokens) for tokens in ([9, 9], [40], [6, 7, 8, 7])]
    together = trainer.train_all(groups)
    for group, outcomes in zip(groups, together, strict=True):
        for one, other in zip(outcomes, trainer.train(group), strict=True):
            assert torch.equal(one.adapter.values, other.adapter.values)
            assert one.loss == other.loss


def dense(trainer: GroupTrainer, tokens: Sequence[int]) -> list[Lesson]:
    B = torch.zeros(trainer.layout.expansion_size)
    return [
        Lesson(Adapter(B, None, own.adapter.projection), own.batches)
        for own in lessons(trainer, tokens)
    ]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where a shell has started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("tokens", [[10, 5, 5], [5, 5, 10]])
@pytest.mark.parametrize("failure", [RuntimeError, "ctrl-c"])
def test_a_share_takes_no_further_step_where_the_other_fails(
    model: AdaptedModel,
    threads: Any,
    monkeypatch: pytest.MonkeyPatch,
    failure: Any,
    tokens: list[int],
) -> None:
    threads(2)
    begun, steps = Event(), []
    gradients = GroupTrainer._gradients

    def broken(self: GroupTrainer, copies: Any, batches: Any) -> Any:
        assert self._stopped is not None
        if len(batches[0][0][0].prompt) == 10:
            assert begun.wait(60)
            if failure == "ctrl-c":  # which reaches the main thread, and no other
                signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
            else:
                raise failure("as if")
        else:
            begun.set()
            steps.append(len(batches))
        assert self._stopped.wait(60)
        return gradients(self, copies, batches)

    trainer = trainer_of(model)
    given_ = dense(trainer, tokens)
    assert len(shares([lesson.tokens for lesson in given_])) == 2
    monkeypatch.setattr(GroupTrainer, "_gradients", broken)
    with pytest.raises(KeyboardInterrupt if failure == "ctrl-c" else failure):
        trainer.train(given_)
    assert steps == [2]


def test_where_two_shares_have_no_room_all_are_trained_in_one(
    model: AdaptedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = trainer_of(model)
    given_ = dense(trainer, [10, 5, 5])
    wanted = trainer.train(given_)
    gradients = GroupTrainer._gradients

    def full(self: GroupTrainer, copies: Any, batches: Any) -> Any:
        if len(batches) < 3:
            raise MemoryError
        return gradients(self, copies, batches)

    monkeypatch.setattr(GroupTrainer, "_gradients", full)
    for _ in range(2):
        for one, other in zip(trainer.train(given_), wanted, strict=True):
            values = (one.adapter.values, other.adapter.values)
            torch.testing.assert_close(*values, rtol=0, atol=2e-5)
    assert caplog.text.count("out of memory") == 1
