"""A slot knows no part, a part none of another slot, and only methods know a method by its file."""

from pathlib import Path

from cosim.methods import METHODS
from cosim.methods.part import PARTS
from tests.test_architecture import imports, modules

ROOM = "cosim.methods"
# Files by slot and name; what a slot's folder has besides is ground that others may stand on.
OF_PARTS = {
    tuple(kind.__module__.split(".")[2:])
    for kinds in PARTS.values()
    for kind in kinds.values()
    if kind.__module__.startswith(f"{ROOM}.")
}
SLOTS = {slot for slot, _ in OF_PARTS}


def imported_by(module: str, path: Path) -> set[tuple[str, ...]]:
    """What a module imports of the room, below it: ("aggregation", "mean")."""
    depth = ROOM.count(".") + 1
    return {
        tuple(name.split(".")[depth : depth + 2])
        for name in imports(path)
        if name.startswith(f"{ROOM}.") and name != module
    }


def files_of_slots() -> list[tuple[str, str, set[tuple[str, ...]]]]:
    """Slot, file and imports of every file of a slot."""
    found = []
    for path, name in modules():
        names = name.split(".")
        if name.startswith(f"{ROOM}.") and len(names) == 4 and names[2] in SLOTS:
            found.append((names[2], names[3], imported_by(name, path)))
    return found


def test_a_slot_knows_no_part() -> None:
    for slot, file, others in files_of_slots():
        if file == "slot":
            assert not others & OF_PARTS, f"{slot}/slot.py imports {others & OF_PARTS}"


def test_a_part_knows_no_part_of_another_slot() -> None:
    for slot, file, others in files_of_slots():
        foreign = {other for other in others & OF_PARTS if other[0] != slot}
        assert not foreign, f"{slot}/{file}.py imports {foreign}"


def test_only_methods_and_their_list_know_a_method_by_its_file() -> None:
    for path, name in modules():
        names = name.split(".")
        if names[:2] == ROOM.split(".") and names[2:] and names[2] not in (*METHODS, "__init__"):
            known = {other[0] for other in imported_by(name, path)} & set(METHODS)
            assert not known, f"{name} imports {known}"
