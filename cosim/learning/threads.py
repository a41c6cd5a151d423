"""Computations side by side, each with threads of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import torch

# More cores than that would wait for memory.
MOST_THREADS = 16
# A signal that arrives just before the main thread falls asleep does not wake it.
LOOKS_FOR_CTRL_C_S = 0.5

Given = TypeVar("Given")
Found = TypeVar("Found")


class Each(Protocol):
    """This maps a function over items; what it finds is in their order."""

    def __call__(self, function: Callable[[Given], Found], items: Sequence[Given]) -> list[Found]:
        """The function of every item."""


def _in_turn(function: Callable[[Given], Found], items: Sequence[Given]) -> list[Found]:
    return [function(item) for item in items]


def _wait_for_a_fault(futures: Sequence[Future[Any]]) -> None:
    """Waits until all are done or one has failed; Ctrl-C is noticed within half a second."""
    while wait(futures, LOOKS_FOR_CTRL_C_S, FIRST_EXCEPTION).not_done:
        if any(future.done() and future.exception() for future in futures):
            return


@contextmanager
def one_thread_aside() -> Iterator[Executor]:
    """One thread that computes beside this one, and alone: no others meet it at barriers."""
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as aside:
            yield aside
    finally:
        # What one thread sets is what threads to come begin with.
        torch.set_num_threads(threads)


@contextmanager
def one_thread_each(at_once: int) -> Iterator[Each]:
    """Computes items with one thread each inside the block, at most so many of them at once.

    Never more than there were threads before. Decompositions of the size of a module meet at
    thousands of barriers: on a busy machine two threads that wait for each other there take
    several times as long as one. No item's values depend on how many are computed at once.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if min(at_once, threads) <= 1:
            yield _in_turn
            return
        with ThreadPoolExecutor(
            min(at_once, threads), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:

            def side_by_side(
                function: Callable[[Given], Found], items: Sequence[Given]
            ) -> list[Found]:
                futures = [pool.submit(function, item) for item in items]
                try:
                    _wait_for_a_fault(futures)
                finally:  # Ctrl-C too leaves in line nothing that has not begun
                    for future in futures:
                        future.cancel()
                wait(futures)  # whoever fails leaves nobody behind who still writes
                return [future.result() for future in futures if not future.cancelled()]

            yield side_by_side
    finally:
        torch.set_num_threads(threads)
