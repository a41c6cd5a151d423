"""The places of the map, the timeline and the row that was clicked, with what they are made of."""

from __future__ import annotations

from typing import Any

from cosim.reporting.markup import Markup, tag
from cosim.reporting.motion import motion
from cosim.reporting.svg import legend
from cosim.trace.reader import Run
from cosim.trace.schema import TransferOutcome

_HELP = (
    "Dashed: the deadlines of what was sent, Γ after its start. A row is a device; drag to move, "
    "Ctrl and the wheel to zoom. The map shows what a device sends and has sent in its round, and "
    "rings who missed."
)


def scene_section(run: Run) -> tuple[Markup | None, dict[str, Any] | None]:
    """The section and what its scripts know; both None before anything happened."""
    moved = motion(run)
    if moved is None:
        return None, None
    facts, packed = moved
    there = [str(o) for o in TransferOutcome if (run.transfers["outcome"] == o).any()]
    keys = [
        *(("compute", "computing"), ("send", "sending"), ("wait", "waiting"), ("away", "off")),
        *((name, f"transmission {name}") for name in there),
        ("air", "in the air (map)"),
    ]
    section = tag(
        "section",
        tag("h2", "Who did what when, and where"),
        [tag("p", note, class_="note") for note in facts["notes"]],
        tag("div", class_="controls"),
        tag(
            "div",
            tag("div", class_="map"),
            tag("div", tag("p", "Click a bar of the timeline: its row."), class_="row"),
            tag(
                "div",
                tag("div", class_="timeline"),
                legend(keys),
                tag("p", _HELP, class_="note"),
                class_="below",
            ),
            class_="views",
        ),
        tag("script", Markup(packed), type="text/plain", class_="packed"),
        class_="scene",
    )
    return section, facts
