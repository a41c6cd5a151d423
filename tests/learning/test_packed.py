"""Rows laid end to end: every token once, answers beside each other, passes of bounded size."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.learning.data.encoding import Encoded
from cosim.learning.data.packing import PackedRows, candidates_reading, pack, pieces, reading

TOKENS = st.lists(st.integers(2, 300), min_size=1, max_size=6).map(tuple)
ROWS = st.builds(Encoded, TOKENS, TOKENS)
GROUPS = st.lists(st.lists(ROWS, max_size=4), min_size=1, max_size=5).filter(
    lambda groups: any(groups)
)


@given(GROUPS)
def test_every_token_lies_once_and_knows_its_row_and_group(groups: list[list[Encoded]]) -> None:
    packed = pack([[reading(row) for row in group] for group in groups])
    rows = [row for group in groups for row in group]
    wanted = [(row.prompt + row.answer)[:-1] for row in rows]
    assert packed.ids.tolist() == [token for row in wanted for token in row]
    assert packed.depths.tolist() == [place for row in wanted for place in range(len(row))]
    assert packed.lengths == tuple(map(len, wanted))
    for number, of_row in enumerate(packed.rows_by_group):
        assert [rows[row] for row in of_row] == groups[number]
        first, last = packed.bounds[number : number + 2]
        assert last - first == sum(len(wanted[row]) for row in of_row)
    owners = [n for n, group in enumerate(groups) for row in group for _ in row.answer]
    assert packed.owners.tolist() == owners
    assert packed.targets.tolist() == [token for row in rows for token in row.answer]
    assert not packed.branched
    for token, place in zip(packed.targets.tolist(), packed.scored.tolist(), strict=True):
        row = int(packed.rows[place])
        depth = int(packed.depths[place])
        assert (rows[row].prompt + rows[row].answer)[depth + 1] == token


def test_candidates_share_one_prompt() -> None:
    prompt = (5, 6, 7)
    row = candidates_reading([Encoded(prompt, a) for a in ((10, 11, 12), (20,), (30, 31))])
    assert row.tokens == (5, 6, 7, 10, 11, 30)
    assert row.depths == (0, 1, 2, 3, 4, 3)
    assert row.branches == (0, 0, 0, 1, 1, 3)
    assert row.scored == (2, 3, 4, 2, 2, 5)
    assert row.targets == (10, 11, 12, 20, 30, 31)
    assert row.candidate == (0, 0, 0, 1, 2, 2)
    assert pack([[row]]).branched
    short = candidates_reading([Encoded(prompt, (8,)), Encoded(prompt, (9,))])
    assert short.tokens == prompt
    assert not pack([[short]]).branched
    with pytest.raises(ValueError, match="prompt"):
        candidates_reading([Encoded((1,), (2,)), Encoded((3,), (2,))])


def test_candidates_are_counted_over_all_rows() -> None:
    two = candidates_reading([Encoded((1, 2), (3,)), Encoded((1, 2), (4, 5))])
    packed = pack([[two], [reading(Encoded((6,), (7, 8)))]])
    assert packed.candidates.tolist() == [0, 1, 1, 2, 2]
    assert packed.candidate_counts == (2, 1)


BEGUN = st.lists(
    st.tuples(TOKENS, st.lists(ROWS, max_size=4)).map(
        lambda begun: [Encoded(begun[0] + row.prompt, row.answer) for row in begun[1]]
    ),
    min_size=1,
    max_size=4,
).filter(lambda groups: any(groups))


@pytest.mark.slow
@given(BEGUN)
def test_a_stem_lies_once_and_every_row_continues_it(groups: list[list[Encoded]]) -> None:
    packed = pack([[reading(row) for row in group] for group in groups], stems=True)
    assert len(packed.lengths) == len(packed.stems)
    rows = [list(range(start, start + n)) for start, n in zip(*spans(packed), strict=True)]
    number = place = 0
    for group, first, last in zip(groups, packed.bounds, packed.bounds[1:], strict=False):
        whole = [(row.prompt + row.answer)[:-1] for row in group]
        alike = [len(set(tokens)) == 1 for tokens in zip(*whole, strict=False)]
        shared = [*alike, False].index(False) if len(group) > 1 else 0
        stem = number
        if shared:
            assert packed.stems[stem] == stem
            assert [int(packed.ids[at]) for at in rows[stem]] == list(whole[0][:shared])
            number += 1
        saved = (len(group) - 1) * shared if shared else 0
        assert last - first == sum(map(len, whole)) - saved
        for row, tokens in zip(group, whole, strict=True):
            assert packed.stem_length(number) == shared
            assert packed.stems[number] == (stem if shared else number)
            seen = [*(rows[stem] if shared else []), *rows[number]]
            assert tuple(packed.ids[seen].tolist()) == tokens
            assert packed.depths[seen].tolist() == list(range(len(tokens)))
            for token in row.answer:
                assert int(packed.scored[place]) in seen
                depth = int(packed.depths[packed.scored[place]])
                assert (row.prompt + row.answer)[depth + 1] == token == int(packed.targets[place])
                place += 1
            number += 1
    assert packed.owners.tolist() == [n for n, g in enumerate(groups) for r in g for _ in r.answer]
    whole_tokens, numbers = packed.whole_rows()
    every = [(row.prompt + row.answer)[:-1] for group in groups for row in group]
    assert numbers.tolist() == [n for n, row in enumerate(every) for _ in row]
    assert packed.ids[whole_tokens].tolist() == [token for row in every for token in row]
    assert packed.stemmed == (len(packed.lengths) > len(every))


def spans(packed: PackedRows) -> tuple[list[int], tuple[int, ...]]:
    return [0, *accumulate(packed.lengths[:-1])], packed.lengths


@given(GROUPS, st.integers(1, 20))
def test_pieces_keep_every_row_in_its_group(groups: list[list[Encoded]], tokens: int) -> None:
    readings = [[reading(row) for row in group] for group in groups]
    found = list(pieces(readings, tokens))
    for number, group in enumerate(readings):
        assert [row for piece in found for row in piece[number]] == group
    for piece in found:
        rows = [row for group in piece for row in group]
        assert len(rows) == 1 or sum(len(row.tokens) for row in rows) <= tokens
