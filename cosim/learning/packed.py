"""Token rows laid end to end: what one pass over the base model reads, without padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosim.learning.encoding import Encoded

# What a transformer keeps of a training pass grows with its tokens: 2.6 GiB for SmolLM2-135M.
TOKENS_PER_PASS = 8192


@dataclass(frozen=True)
class Reading:
    """One row as the model reads it, and the positions in it whose next token is scored.

    tokens, depths and branches have equal lengths. A depth is a token's place in its sequence. A
    branch is 0 in the trunk; a token sees the trunk and its own branch before it, so that several
    continuations of one prompt are read beside each other. scored, targets and candidate: a
    position, the token expected after it, and the candidate that it speaks for.
    """

    tokens: tuple[int, ...]
    depths: tuple[int, ...]
    branches: tuple[int, ...]
    scored: tuple[int, ...]
    targets: tuple[int, ...]
    candidate: tuple[int, ...]


def reading(row: Encoded) -> Reading:
    """A prompt and its answer, every answer token scored."""
    return candidates_reading([row])


def candidates_reading(rows: Sequence[Encoded]) -> Reading:
    """Candidates of one prompt: the prompt is read once, each answer in a branch of its own.

    The last token of an answer is only predicted: where all answers are one token long, the row
    is the prompt alone. ValueError where the prompts differ.
    """
    prompt = rows[0].prompt
    tokens, depths = list(prompt), list(range(len(prompt)))
    branches = [0] * len(prompt)
    scored: list[int] = []
    targets: list[int] = []
    candidate: list[int] = []
    for number, row in enumerate(rows):
        if row.prompt != prompt:
            raise ValueError("candidates of one row must share their prompt")
        read = row.answer[:-1]
        first = len(tokens)
        scored += [len(prompt) - 1, *range(first, first + len(read))]
        targets += row.answer
        candidate += [number] * len(row.answer)
        tokens += read
        depths += range(len(prompt), len(prompt) + len(read))
        branches += [0 if len(rows) == 1 else number + 1] * len(read)
    return Reading(*map(tuple, (tokens, depths, branches, scored, targets, candidate)))


@dataclass(frozen=True)
class PackedRows:
    """The rows of one pass, end to end in the order given, groups of rows after each other.

    ids, depths, branches, rows: (N,) of every token; rows is the number of its row. lengths:
    tokens by row. bounds: (G + 1,) the groups' first tokens and N; an empty group has two equal
    bounds. scored (P,): the tokens whose next token is scored. targets (P,). candidates (P,):
    number of the candidate, counted over all rows; candidate_counts: candidates by row.
    """

    ids: Tensor
    depths: Tensor
    branches: Tensor
    rows: Tensor
    lengths: tuple[int, ...]
    bounds: tuple[int, ...]
    scored: Tensor
    targets: Tensor
    candidates: Tensor
    candidate_counts: tuple[int, ...]

    @property
    def rows_by_group(self) -> list[range]:
        """The numbers of each group's rows."""
        ends = torch.tensor(self.lengths).cumsum(0)
        last = torch.searchsorted(ends, torch.tensor(self.bounds[1:]), right=True).tolist()
        return [range(a, b) for a, b in zip([0, *last[:-1]], last, strict=True)]

    @property
    def owners(self) -> Tensor:
        """(P,) the group of each scored token."""
        ends = torch.tensor(self.bounds[1:], device=self.scored.device)
        return torch.searchsorted(ends, self.scored, right=True)

    @property
    def branched(self) -> bool:
        """True where a row holds several continuations: a causal mask alone does not do."""
        return bool(self.branches.any())


def pieces(
    groups: Sequence[Sequence[Reading]], tokens: int = TOKENS_PER_PASS
) -> Iterator[list[list[Reading]]]:
    """The groups' rows in passes of at most so many tokens (a longer row goes by itself), each
    with all groups, of which some may be empty."""
    piece: list[list[Reading]] = [[] for _ in groups]
    held = 0
    for number, group in enumerate(groups):
        for row in group:
            if held and held + len(row.tokens) > tokens:
                yield piece
                piece, held = [[] for _ in groups], 0
            piece[number].append(row)
            held += len(row.tokens)
    if held:
        yield piece


def pack(groups: Sequence[Sequence[Reading]], device: torch.device | str = "cpu") -> PackedRows:
    """Lays the groups' rows end to end."""
    ids: list[int] = []
    depths: list[int] = []
    branches: list[int] = []
    rows: list[int] = []
    scored: list[int] = []
    targets: list[int] = []
    candidates: list[int] = []
    lengths: list[int] = []
    counts: list[int] = []
    bounds = [0]
    for group in groups:
        for row in group:
            start, first = len(ids), sum(counts)
            rows += [len(lengths)] * len(row.tokens)
            ids += row.tokens
            depths += row.depths
            branches += row.branches
            scored += [start + position for position in row.scored]
            targets += row.targets
            candidates += [first + number for number in row.candidate]
            lengths.append(len(row.tokens))
            counts.append(max(row.candidate) + 1 if row.candidate else 0)
        bounds.append(len(ids))

    def tensor(values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    return PackedRows(
        tensor(ids),
        tensor(depths),
        tensor(branches),
        tensor(rows),
        tuple(lengths),
        tuple(bounds),
        tensor(scored),
        tensor(targets),
        tensor(candidates),
        tuple(counts),
    )
