"""Runs that are left out, as they are told: few by name, many by their number."""

from cosim.comparison.left_out import shortened


def of(reason: str, count: int) -> list[str]:
    return [f"left out, {reason}: runs/s/{number}" for number in range(count)]


def test_few_are_told_one_by_one() -> None:
    notes = [*of("pending", 4), "missing seed 2: lora", *of("failed", 1)]
    assert shortened(notes) == notes


def test_many_of_one_reason_are_one_sentence_where_the_first_stood() -> None:
    notes = ["first", *of("failed", 2), *of("pending", 5), "missing seed 2: lora"]
    assert shortened(notes) == [
        "first",
        *of("failed", 2),
        "left out, pending: runs/s/0, runs/s/1, runs/s/2 and 2 more",
        "missing seed 2: lora",
    ]
