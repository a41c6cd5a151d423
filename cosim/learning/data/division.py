"""A task's training rows, divided among its devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cosim.errors import TaskError
from cosim.randomness import stream
from cosim.scenario.division import Division
from cosim.spelling import nearest

# So many draws that leave a device without a row end it.
_PATIENCE = 1000

Parts = tuple[Sequence[int], ...]


def divided(
    name: str, division: Division, answers: Sequence[str], rows: int, devices: int, seed: int
) -> Parts:
    """Numbers of the rows of each device, in order of the ids; every device has at least one.

    answers: by row; none where they are free text. Raises `TaskError` for answers that cannot be
    divided by, or where a device would have no row. Draws belong to the stream (seed, "division",
    name). By `dirichlet`, p ~ Dir(α·1) over the devices for each answer (as in Li, Diao, Chen and
    He, arXiv 2102.02079).
    """
    where = f"tasks.{name}.division"
    random = stream(seed, "division", name)
    if division.quantity is not None:
        alpha = [division.quantity] * devices
        counts = _with_all(where, lambda: _whole(random.dirichlet(alpha), rows))
        ends = np.cumsum(counts)
        return tuple(range(end - count, end) for end, count in zip(ends, counts, strict=True))
    of_answer = _rows_by_answer(where, answers)
    if division.dirichlet is not None:
        alpha = [division.dirichlet] * devices
        table = _with_all(
            where,
            lambda: np.stack([_whole(random.dirichlet(alpha), len(r)) for r in of_answer.values()]),
        )
    else:
        assert division.proportions is not None
        table = _stated(where, division.proportions, of_answer, devices)
    return _dealt(table, list(of_answer.values()))


def _rows_by_answer(where: str, answers: Sequence[str]) -> dict[str, list[int]]:
    """Rows by answer, the answers in order of the alphabet."""
    if not answers:
        raise TaskError(f"{where}: the task's answers are free text; only quantity can be skewed")
    if 2 * len(set(answers)) > len(answers):
        raise TaskError(
            f"{where}: {len(answers)} rows have {len(set(answers))} different answers, which are "
            "no classes to divide by; only quantity can be skewed"
        )
    of_answer: dict[str, list[int]] = {answer: [] for answer in sorted(set(answers))}
    for number, answer in enumerate(answers):
        of_answer[answer].append(number)
    return of_answer


def _with_all(where: str, draw: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
    """The first draw of counts (…, devices) that leaves no device without a row."""
    for _ in range(_PATIENCE):
        counts = draw()
        if bool((counts.reshape(-1, counts.shape[-1]).sum(0) > 0).all()):
            return counts
    raise TaskError(
        f"{where}: {_PATIENCE} draws have left some device without a row; use a larger α, more "
        "samples or fewer devices"
    )


def _whole(shares: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers that add up to a total, as near to the shares as can be (largest remainders;
    of equal ones the first)."""
    quotas = shares * total
    counts = np.floor(quotas).astype(np.int64)
    order = np.argsort(counts - quotas, kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return counts


def _stated(
    where: str,
    proportions: Sequence[Mapping[str, float]],
    of_answer: Mapping[str, Sequence[int]],
    devices: int,
) -> NDArray[np.int64]:
    """Rows by answer and device (answers, devices): equally many a device, as many as there are
    rows for."""
    known = list(of_answer)
    shares = np.zeros((len(known), devices))
    for device in range(devices):
        for answer, share in proportions[device % len(proportions)].items():
            if answer not in of_answer:
                near = nearest(answer, known)
                meant = f"did you mean '{near}'?" if near else f"there are {', '.join(known[:10])}"
                raise TaskError(f"{where}: no training row has the answer '{answer}'; {meant}")
            shares[known.index(answer), device] = share
    demand = shares.sum(1)
    there = np.array([len(rows) for rows in of_answer.values()])
    with np.errstate(over="ignore"):  # a share of next to nothing bounds nothing
        each = int(np.floor((there[demand > 0] / demand[demand > 0]).min()))
    while each > 0:
        table = np.stack([_whole(column, each) for column in shares.T], axis=1)
        if bool((table.sum(1) <= there).all()):
            return table
        each -= 1
    raise TaskError(f"{where}: there are too few rows for one of each device")


def _dealt(table: NDArray[np.int64], rows_of: Sequence[Sequence[int]]) -> Parts:
    """Rows by device from how many of each answer they have, each answer's in order."""
    parts: list[list[int]] = [[] for _ in range(table.shape[1])]
    for counts, rows in zip(table, rows_of, strict=True):
        start = 0
        for device, count in enumerate(counts.tolist()):
            parts[device] += rows[start : start + count]
            start += count
    return tuple(sorted(part) for part in parts)


def answers_in_words(answers: Sequence[str], parts: Parts, most: int = 12) -> str:
    """The answers of each part: `19 negative, 1 positive | 2 negative, 18 positive`."""
    words = []
    for part in parts[:most]:
        counts = Counter(answers[number] for number in part)
        words.append(
            ", ".join(f"{count} {answer.strip()}" for answer, count in sorted(counts.items()))
        )
    more = f" | … {len(parts) - most} more" if len(parts) > most else ""
    return " | ".join(words) + more
