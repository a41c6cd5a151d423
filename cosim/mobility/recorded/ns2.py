"""ns-2 movement scripts: `setdest` and the places of `$node_(i)`. There is no kept parser for them.

Policies, besides those of all formats:

- `$node_(i) set X_ x` (and `Y_`) is the place at the start; every node that moves needs one.
- `$ns_ at t "$node_(i) setdest x y v"`: at t the node leaves the place that it has reached, even
  mid-way, and walks straight at v m/s; there it stays. Speed 0 stops it where it is; an infinite
  speed is a jump.
- `$ns_ at t "$node_(i) set X_ x"` is a teleport at t, and ends a walk.
- Commands at one instant happen in the order of the file.
- `switch OFF`, `off` and `stop` take a node away, `switch ON`, `on` and `start` bring it back
  (`cosim.mobility.recorded.presence`); outside `$ns_ at` they happen before all others, at 0.
  They change no place: a device that is switched off is still somewhere, and walks on.
- Looks are ignored. So are switches of nodes without a place, `Z_`, `$god_` and other objects,
  comments, and plain Tcl `set name value`.
- Everything else is refused: a script that computes its movement must be run by ns-2 first.
"""

import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from cosim.mobility.recorded.presence import switched
from cosim.mobility.recorded.samples import MAX_METRES, MAX_SECONDS, Samples, number, refuse
from cosim.mobility.recorded.source import read_text
from cosim.mobility.recorded.units import SpeedsTold

_NODE = re.compile(r"\$\w+\(([\w.-]+)\)\s+(.*)")
_AT = re.compile(r"""\$ns_?\s+at\s+(\S+)\s+(?:"([^"]*)"|\{([^}]*)\})""")
_OTHER = re.compile(r"(set\s+[\w:]+(\([^)]*\))?\s+\S.*|\$god_?\s.*|\$ns_?\s+initial_node_pos\s.*)")
_SWITCHES = {"on": True, "start": True, "off": False, "stop": False}
# What moves no node.
_IGNORED = frozenset({*_SWITCHES, "switch", "reset", "random-motion"}) | frozenset(
    {"label", "color", "shape", "radius", "add-mark", "delete-mark", "log-movement"}
)

# Blanks and semicolons, stripped by hand: an expression for them takes the square of their number.
_AT_THE_END = "; \t\r\v\f\u00a0"

_Command = tuple[float, int, str, str]
"""What a node does at a time: (time_s, line, node, command)."""


@dataclass
class _Node:
    """A node as the script moves it.

    place: x and y, as far as they are set.
    since_s: when it was there.
    aim: where it walks.
    arrives_s: when it is there.
    rows: its samples so far, flat.
    walk: speed, beginning and length of the walk that it is on; None at rest.
    """

    place: dict[str, float] = field(default_factory=dict)
    since_s: float = 0.0
    aim: tuple[float, float] = (0.0, 0.0)
    arrives_s: float = 0.0
    rows: list[float] = field(default_factory=list)
    walk: tuple[float, float, float] | None = None

    def reach(self, time_s: float) -> None:
        """Lets the node walk until `time_s`, and notes the corners of its way."""
        if self.arrives_s > self.since_s:
            until_s = min(time_s, self.arrives_s)
            share = (until_s - self.since_s) / (self.arrives_s - self.since_s)
            for axis, aim in zip("XY", self.aim, strict=True):
                start = self.place[axis]
                self.place[axis] = aim if share == 1.0 else start + share * (aim - start)
            self.write(until_s)
        self.since_s = time_s
        self.write(time_s)

    def write(self, time_s: float) -> None:
        """Notes where the node is at `time_s`."""
        self.rows.extend((time_s, self.place["X"], self.place["Y"]))


def read_ns2(file: Path) -> Samples:
    """The places of every node of a movement script, in m and s of the script's clock, and when it
    is there.

    Complete, not sampled: no gap between two commands is too long. MobilityError with file and
    line for a command that is not understood, a number that is none, a negative time or speed,
    and a node that moves before it has a place.
    """
    nodes: dict[str, _Node] = {}
    timed: list[_Command] = []
    switches: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
    for line, text in enumerate(read_text(file).split("\n"), 1):
        command = text.partition("#")[0].rstrip(_AT_THE_END).lstrip()
        at, node = _AT.fullmatch(command), _NODE.fullmatch(command)
        if at is not None:
            time_s = number(at[1], "the time", file, line, most=MAX_SECONDS)
            if time_s < 0.0:
                raise refuse(file, line, f"the time {time_s:g} s is before the start")
            inner = (at[2] if at[2] is not None else at[3]).strip()
            moved = _NODE.fullmatch(inner)
            if moved is not None:
                timed.append((time_s, line, moved[1], moved[2]))
            elif not _OTHER.fullmatch(inner):
                raise _not_understood(file, line, command)
        elif node is not None:
            words = node[2].split()
            on = _switch(words)
            if on is not None:
                switches[node[1]].append((0.0, on))
            if words[0] == "set" and len(words) == 3 and words[1] in ("X_", "Y_"):
                value = number(words[2], words[1], file, line, most=MAX_METRES)
                nodes.setdefault(node[1], _Node()).place[words[1][0]] = value
            elif words[:2] != ["set", "Z_"] and words[0] not in _IGNORED:
                raise _not_understood(file, line, command)
        elif command and not _OTHER.fullmatch(command):
            raise _not_understood(file, line, command)
    timed.sort(key=lambda entry: entry[:2])
    for time_s, _, name, action in timed:
        on = _switch(action.split())
        if on is not None:
            switches[name].append((time_s, on))
    speeds = _play(file, nodes, timed)
    return Samples(
        {name: node.rows for name, node in nodes.items() if node.rows},
        complete=True,
        presence_s={name: switched(switches[name]) for name in nodes},
        speeds=speeds,
    )


def _play(file: Path, nodes: dict[str, _Node], timed: list[_Command]) -> SpeedsTold:
    """Carries out the movements of commands that are in order; writes every node's rows, and tells
    what their speeds come to until the next command of the same node."""
    speeds = SpeedsTold(may_rest=True)
    for node in nodes.values():
        if len(node.place) == 2:
            node.write(0.0)
    commands = 0
    for time_s, line, name, command in timed:
        words = command.split()
        if words[0] in _IGNORED or words[:2] == ["set", "Z_"]:
            continue
        node = nodes.get(name, _Node())
        if len(node.place) != 2:
            raise refuse(file, line, f"node {name} moves, but its start (X_ and Y_) is never set")
        commands += 1
        node.reach(time_s)
        _tell_walk(node, time_s, speeds)
        if words[0] == "setdest" and len(words) == 4:
            _set_destination(file, line, node, time_s, words[1:])
        elif words[0] == "set" and len(words) == 3 and words[1] in ("X_", "Y_"):
            node.place[words[1][0]] = number(words[2], words[1], file, line, most=MAX_METRES)
            node.arrives_s = 0.0
            node.write(time_s)
        else:
            raise _not_understood(file, line, command)
    if nodes and not commands:
        raise refuse(file, None, "has no times: no node ever moves (no `at … setdest`)")
    for node in nodes.values():
        if node.arrives_s > node.since_s:
            node.reach(node.arrives_s)
    return speeds


def _tell_walk(node: _Node, time_s: float, speeds: SpeedsTold) -> None:
    """Adds what a node's last walk was told to be, until now."""
    if node.walk is not None:
        speed_m_s, since_s, length_m = node.walk
        told_m = speed_m_s * (time_s - since_s)
        speeds.told_m += told_m
        speeds.walked_m += min(told_m, length_m)
        speeds.steps += 1
        node.walk = None


def _switch(words: list[str]) -> bool | None:
    """Whether a node's command switches it on (True), off (False), or neither."""
    if words[0] == "switch":
        return _SWITCHES.get(words[1].lower()) if len(words) == 2 else None
    return _SWITCHES.get(words[0])


def _set_destination(file: Path, line: int, node: _Node, time_s: float, words: list[str]) -> None:
    x, y = (number(word, "the destination", file, line, most=MAX_METRES) for word in words[:2])
    if words[2].lower() in ("inf", "+inf", "infinity"):
        speed = math.inf
    else:
        speed = number(words[2], "the speed", file, line, most=1e300)
    if speed < 0.0:
        raise refuse(file, line, f"the speed {speed:g} m/s is negative")
    away = math.dist((node.place["X"], node.place["Y"]), (x, y))
    if speed == 0.0 or away == 0.0:
        node.arrives_s = 0.0
        return
    if speed < math.inf:
        node.walk = (speed, time_s, away)
    node.aim = (x, y)
    # Keeps the slowest of walks within the range of times; nobody looks at them that long.
    node.arrives_s = time_s + min(away / speed, MAX_SECONDS)
    if node.arrives_s == time_s:
        node.place = {"X": x, "Y": y}
        node.write(time_s)


def _not_understood(file: Path, line: int, command: str) -> Exception:
    excerpt = command if len(command) <= 60 else command[:57] + "…"
    return refuse(file, line, f"{excerpt!r} is not understood; expected setdest, set X_ or set Y_")
