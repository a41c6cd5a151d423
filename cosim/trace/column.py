"""What is said of a column, and the columns that several tables have."""

from typing import Annotated, Any, NamedTuple, TypeAlias


class Column(NamedTuple):
    """A column says what is in one column of a table.

    unit: `1` for a number without a unit, and for text.
    description: what it is, in words.
    stored: its pyarrow type where `int` alone does not say it; else None.
    """

    unit: str
    description: str
    stored: Any = None


# Payload bits are counted, so they are integers; what accumulates at a varying rate is a float.
Round: TypeAlias = Annotated[int, Column("1", "number of the round")]
Device: TypeAlias = Annotated[int, Column("1", "identity of the device the row is about")]
EdgesUsed = Annotated[
    float | None,
    Column(
        "1",
        "received over received, missed and silent; where edges are mutual, received of those "
        "alone who heard the device too; null where nothing was expected",
    ),
]
EnergyRx: TypeAlias = Annotated[float, Column("J", "energy spent receiving")]
X: TypeAlias = Annotated[float, Column("m", "position along the first axis")]
Y: TypeAlias = Annotated[float, Column("m", "position along the second axis")]
