"""Progress below a notebook's cell."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cosim.observers.progress import NotebookLine, NotebookProgress, in_notebook, seen_progress


class Shown(NotebookLine):
    """Keeps what is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, int, str]] = []

    def show(self, done: int, of: int, words: str) -> None:
        """Keeps a line."""
        self.lines.append((done, of, words))


def test_rounds_that_fly_by_are_not_all_shown_and_the_last_one_is() -> None:
    shown, moments_s = Shown(), iter(range(1000))
    with NotebookProgress(9, shown, lambda: next(moments_s) / 100) as progress:
        for round_ in range(1, 10):
            progress.closed(round_, 1.5 * round_)
    assert shown.lines[0] == (0, 9, "loading, scoring the base model")
    assert 3 <= len(shown.lines) < 9
    done, of, words = shown.lines[-1]
    assert (done, of) == (9, 9)
    assert words.startswith("round 9/9  simulated 13.50 s")


def test_a_notebook_is_known_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("IPython")
    for shell, expected in ((SimpleNamespace(kernel=1), True), (SimpleNamespace(), False)):
        module.get_ipython = lambda shell=shell: shell
        monkeypatch.setitem(sys.modules, "IPython", module)
        assert in_notebook() is expected
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_nobody_is_shown_what_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosim.observers.progress.in_notebook", lambda: True)
    with seen_progress(3, wanted=False) as seen:
        assert seen == []
