"""Token rows laid end to end: what one pass over the base model reads, without padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, takewhile

import torch
from torch import Tensor

from cosim.learning.data.encoding import Encoded

# What a transformer keeps of a training pass grows with its tokens: 2.6 GiB for SmolLM2-135M.
TOKENS_PER_PASS = 8192


@dataclass(frozen=True)
class Reading:
    """A reading is one row as the model reads it, and the positions in it whose next token is
    scored.

    A token sees the trunk and its own branch before it, so that several continuations of one
    prompt are read beside each other. The first three have equal lengths, as have the others.

    tokens: their ids.
    depths: a token's place in its sequence.
    branches: 0 in the trunk.
    scored: positions.
    targets: the token expected after each of them.
    candidate: whom each of them speaks for.
    """

    tokens: tuple[int, ...]
    depths: tuple[int, ...]
    branches: tuple[int, ...]
    scored: tuple[int, ...]
    targets: tuple[int, ...]
    candidate: tuple[int, ...]

    @property
    def trunk(self) -> tuple[int, ...]:
        """The tokens before the first branch."""
        return self.tokens[: self.branches.count(0)]


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
    positions: list[int] = []
    targets: list[int] = []
    candidate: list[int] = []
    for number, row in enumerate(rows):
        if row.prompt != prompt:
            raise ValueError("candidates of one row must share their prompt")
        inputs = row.answer[:-1]
        start = len(tokens)
        positions += [len(prompt) - 1, *range(start, start + len(inputs))]
        targets += row.answer
        candidate += [number] * len(row.answer)
        tokens += inputs
        depths += range(len(prompt), len(prompt) + len(inputs))
        branches += [0 if len(rows) == 1 else number + 1] * len(inputs)
    return Reading(*map(tuple, (tokens, depths, branches, positions, targets, candidate)))


@dataclass(frozen=True)
class PackedRows:
    """Packed rows are those of one pass, end to end in the order given, groups of rows after each
    other.

    Rows of a group that share a prefix may store it once, as a *stem* row before them; such a row
    holds the tokens after the prefix and sees the stem.

    ids, depths, branches: of every token (N,).
    rows: the number of every token's row (N,), stems counted too.
    lengths: tokens by row.
    stems: by row, the number of the row that it continues, its own where it continues none.
    bounds: (G + 1,) the groups' first tokens and N; an empty group has two equal bounds.
    scored: the tokens whose next token is scored (P,).
    targets: those next tokens (P,).
    candidates: number of each one's candidate (P,), counted over all rows.
    candidate_counts: candidates by row, stems left out.
    """

    ids: Tensor
    depths: Tensor
    branches: Tensor
    rows: Tensor
    lengths: tuple[int, ...]
    stems: tuple[int, ...]
    bounds: tuple[int, ...]
    scored: Tensor
    targets: Tensor
    candidates: Tensor
    candidate_counts: tuple[int, ...]

    def stem_length(self, row: int) -> int:
        """Tokens of the stem that a row continues."""
        return self.lengths[self.stems[row]] if self.stems[row] != row else 0

    @property
    def stemmed(self) -> bool:
        """True where any row continues a stem."""
        return any(stem != row for row, stem in enumerate(self.stems))

    def whole_rows(self) -> tuple[Tensor, Tensor]:
        """The tokens of every row that was given (n,), those of its stem among them, and the number
        of that row, stems not counted (n,)."""
        starts = [0, *accumulate(self.lengths)]
        spans = [range(start, end) for start, end in pairwise(starts)]
        heads = {stem for row, stem in enumerate(self.stems) if stem != row}
        numbers = [row for row in range(len(self.lengths)) if row not in heads]
        paths = [
            [*spans[stem], *spans[row]] if (stem := self.stems[row]) != row else spans[row]
            for row in numbers
        ]
        tokens = torch.tensor(list(chain(*paths)), device=self.ids.device)
        lengths = torch.tensor([len(path) for path in paths], device=self.ids.device)
        return tokens, torch.arange(len(paths), device=self.ids.device).repeat_interleave(lengths)

    @property
    def rows_by_group(self) -> list[range]:
        """The numbers of each group's rows, its stem's among them."""
        ends = torch.tensor(self.lengths).cumsum(0)
        row_ends = torch.searchsorted(ends, torch.tensor(self.bounds[1:]), right=True).tolist()
        return [range(a, b) for a, b in zip([0, *row_ends[:-1]], row_ends, strict=True)]

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
    size = 0
    for number, group in enumerate(groups):
        for row in group:
            if size and size + len(row.tokens) > tokens:
                yield piece
                piece, size = [[] for _ in groups], 0
            piece[number].append(row)
            size += len(row.tokens)
    if size:
        yield piece


def common_length(rows: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all rows begin with; 0 of a single row, which shares them with nobody."""
    if len(rows) < 2:
        return 0
    # What the first and the last in order share, all between them share.
    pairs = zip(min(rows), max(rows), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def pack(
    groups: Sequence[Sequence[Reading]],
    device: torch.device | str = "cpu",
    *,
    stems: bool = False,
) -> PackedRows:
    """Lays the groups' rows end to end.

    stems: what all rows of a group begin with is laid once. That changes nothing but rounding where
    a group's rows are read with the same adapter; only the lean passes can read it.
    """
    laid = _Laid()
    bounds = [0]
    for group in groups:
        shared = common_length([row.trunk for row in group]) if stems else 0
        if shared:
            laid.add(group[0], 0, shared)
        stem = len(laid.lengths) - 1 if shared else None
        for row in group:
            laid.read(row, stem)
        bounds.append(len(laid.ids))

    def tensor(values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    return PackedRows(
        tensor(laid.ids),
        tensor(laid.depths),
        tensor(laid.branches),
        tensor(laid.rows),
        tuple(laid.lengths),
        tuple(laid.stems),
        tuple(bounds),
        tensor(laid.scored),
        tensor(laid.targets),
        tensor(laid.candidates),
        tuple(laid.counts),
    )


class _Laid:
    """The rows that have been laid so far."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.depths: list[int] = []
        self.branches: list[int] = []
        self.rows: list[int] = []
        self.starts: list[int] = []
        self.lengths: list[int] = []
        self.stems: list[int] = []
        self.scored: list[int] = []
        self.targets: list[int] = []
        self.candidates: list[int] = []
        self.counts: list[int] = []

    def add(self, row: Reading, start: int, end: int) -> None:
        """Lays a row's tokens from the first up to the last, as a row."""
        self.starts.append(len(self.ids))
        self.rows += [len(self.lengths)] * (end - start)
        self.ids += row.tokens[start:end]
        self.depths += row.depths[start:end]
        self.branches += row.branches[start:end]
        self.stems.append(len(self.lengths))
        self.lengths.append(end - start)

    def read(self, row: Reading, stem: int | None) -> None:
        """Lays a row, or of a row with a stem what comes after it."""
        shared = root = 0
        if stem is not None:
            shared, root = self.lengths[stem], self.starts[stem]
        candidate, rest = sum(self.counts), len(self.ids) - shared
        self.add(row, shared, len(row.tokens))
        if stem is not None:
            self.stems[-1] = stem
        self.scored += [(root if place < shared else rest) + place for place in row.scored]
        self.targets += row.targets
        self.candidates += [candidate + number for number in row.candidate]
        self.counts.append(max(row.candidate) + 1 if row.candidate else 0)
