"""Which lessons of a pass are trained side by side, with threads of their own."""

from __future__ import annotations

from collections.abc import Sequence

# What is left idle at the end must not outweigh what the barriers of common threads cost: on two
# cores up to 6 % of a step of ten equal devices, 5 to 20 % of one of the quickstart's unequal ones.
_UNEVEN = 1.05


def shares(tokens: Sequence[int]) -> list[list[int]]:
    """Numbers of lessons by share: two that read nearly equally many tokens, or all in one.

    It is a matter of the lessons alone and not of the machine's threads, since what goes through
    one product together may be rounded otherwise than apart.
    """
    cut: tuple[list[int], list[int]] = ([], [])
    sums = [0, 0]
    for number in sorted(range(len(tokens)), key=lambda n: (-tokens[n], n)):
        lighter = int(sums[1] < sums[0])
        cut[lighter].append(number)
        sums[lighter] += tokens[number]
    if 2 * max(sums) > _UNEVEN * sum(sums):
        return [list(range(len(tokens)))]
    return [sorted(share) for share in cut]
