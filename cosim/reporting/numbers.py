"""The four numbers of a run: what it reached and what that cost."""

from __future__ import annotations

from cosim.comparison.figures import Figures
from cosim.reporting.markup import Markup, tag
from cosim.reporting.quantity import accuracy_text, exact, rounded, share
from cosim.trace.reader import Run
from cosim.trace.schema import TransferKind


def four_numbers(run: Run, figures: Figures) -> Markup:
    """Final accuracy, seconds, joules and megabits, each with what is behind it."""
    rounds = run.rounds
    energy = {
        "computing": float(rounds["energy_compute_j"].sum()),
        "radio": float((rounds["energy_tx_j"] + rounds["energy_rx_j"]).sum()),
        "idle": float(rounds["energy_idle_j"].sum()),
    }
    split = ", ".join(
        f"{share(joules, figures.energy_j)} {word}" for word, joules in energy.items()
    )
    ended = int(rounds["round"].max()) if len(rounds) else 0
    best = (
        f"best {accuracy_text(figures.best)}; mean over tasks and devices"
        if figures.accuracy is not None
        else "nothing was scored"
    )
    messages = int((run.transfers["kind"] != TransferKind.BEACON).sum())
    missed = (
        "no message was sent"
        if figures.missed is None
        else f"{rounded(100 * figures.missed, 3)} % of {messages} transmissions not in time"
    )
    cells = [
        ("final accuracy", exact(figures.accuracy, accuracy_text(figures.accuracy)), best),
        ("seconds", exact(figures.simulated_s, unit="s"), f"simulated; round {ended} ended last"),
        ("joules", exact(figures.energy_j, unit="J"), split),
        ("bits on the air", exact(figures.mbit, unit="Mbit"), missed),
    ]
    return tag(
        "div",
        [
            tag("div", tag("h3", name), tag("p", value, class_="big"), tag("p", behind))
            for name, value, behind in cells
        ],
        class_="numbers",
    )
