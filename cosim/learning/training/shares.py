"""How a pass is cut into parts that are computed side by side, each in one thread.

All of it is a matter of the lessons alone and not of the machine's threads, since what goes through
one product together may be rounded otherwise than apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from cosim.learning.data.packing import Reading, common_length
from cosim.learning.threads import MOST_THREADS

# Every part reads all weights of the model. On two cores four parts of 640 tokens a step took 1.07
# times as long as two of 1,280; below this part of a step the weights are most of what it reads.
_TOKENS_OF_MANY = 1024
_LEAST_TOKENS = 64
# What is left idle at the end must not outweigh what shares are for.
_UNEVEN = 1.05
_UNEVEN_OF_MANY = 1.25


def shares(tokens: Sequence[int], steps: int = 1) -> list[list[int]]:
    """Numbers of lessons by share: two or more that read nearly equally many tokens, which two
    cores can share evenly; or all in one.

    tokens: of each lesson in all of its steps.
    """
    count = parts(sum(tokens) // steps)
    while count > 2:
        cut = _dealt(tokens, count)
        sums = [sum(tokens[number] for number in share) for share in cut]
        folded = _dealt(sums, 2)
        if _even(sums, _UNEVEN_OF_MANY) and _even([sum(sums[n] for n in h) for h in folded]):
            return cut
        count //= 2
    cut = _dealt(tokens, 2)
    if _even([sum(tokens[number] for number in share) for share in cut]):
        return cut
    return [list(range(len(tokens)))]


def slices(readings: Sequence[Sequence[Reading]]) -> list[list[list[Reading]]]:
    """A mini-batch's rows, by lesson, in slices of nearly equally many tokens, each with all
    lessons, of which some may be empty; what a lesson's rows begin with alike counts once."""
    costs = [_costs(rows) for rows in readings]
    total = sum(map(sum, costs))
    count = 1 if total < 2 * _LEAST_TOKENS else parts(total)
    cut: list[list[list[Reading]]] = [[[] for _ in readings] for _ in range(count)]
    before = 0
    for number, (rows, costs_of_rows) in enumerate(zip(readings, costs, strict=True)):
        for row, cost in zip(rows, costs_of_rows, strict=True):
            # A row lies where its middle does.
            cut[min(count - 1, (2 * before + cost) * count // (2 * total))][number].append(row)
            before += cost
    return [part for part in cut if any(part)] or cut[:1]


def parts(tokens: int) -> int:
    """How many parts a step of so many tokens is cut into at most: a power of two, so that two
    cores, or four, have equally many each."""
    count = 2
    while 2 * count <= MOST_THREADS and tokens >= 2 * count * _TOKENS_OF_MANY:
        count *= 2
    return count


def _dealt(tokens: Sequence[int], count: int) -> list[list[int]]:
    """Numbers by share, the largest first and to the lightest share."""
    cut: list[list[int]] = [[] for _ in range(count)]
    sums = [0] * count
    for number in sorted(range(len(tokens)), key=lambda n: (-tokens[n], n)):
        lightest = min(range(count), key=lambda share: (sums[share], share))
        cut[lightest].append(number)
        sums[lightest] += tokens[number]
    return [sorted(share) for share in cut]


def _even(sums: Sequence[int], uneven: float = _UNEVEN) -> bool:
    return len(sums) * max(sums) <= uneven * sum(sums)


def _costs(rows: Sequence[Reading]) -> list[int]:
    shared = common_length([row.trunk for row in rows])
    return [len(row.tokens) - (shared if number else 0) for number, row in enumerate(rows)]
