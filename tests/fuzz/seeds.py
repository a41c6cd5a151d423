"""Valid inputs that the fuzzing begins with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent.parent

NETWORK: dict[str, Any] = {
    "name": "seed",
    "seed": 7,
    "rounds": 3,
    "learning": {"model": "none", "payload_bits": 4_000_000, "flop": 1.0e12},
    "method": {"name": "proposed", "topology": {"graph": "clusters", "max_collision_rate": 0.2}},
    "area": {"shape": "square", "side_m": 120.0},
    "devices": [
        {"count": 2, "profile": "path:mine.yaml", "mobility": {"model": "static"}},
        {
            "count": 2,
            "profile": {"mix": {"laptop": 1, "raspberry_pi_5": 2.5}},
            "speed_sigma": 0.2,
            "compute": {"model": "paper", "epsilon_s": 1.0e-6},
            "mobility": {"model": "gauss_markov", "mean_speed_m_s": 1.2, "step_s": 1.0},
            "availability": {"model": "exponential", "mean_on_s": 20, "mean_off_s": 5},
        },
        {
            "count": 2,
            "mobility": {"model": "trace", "path": "walk.csv", "max_gap_s": 100, "format": "auto"},
            "availability": "trace",
        },
        {
            "count": 3,
            "mobility": {
                "model": "static",
                "placement": "given",
                "positions_m": [[0, 0], [1.5, -2], [10, 10]],
            },
        },
        {"count": 1, "mobility": {"model": "static", "placement": "grid"}},
    ],
    "radio": {
        "carrier_hz": 3.5e9,
        "bandwidth_hz": 20.0e6,
        "noise": "constant",
        "p_max_dbm": 23,
        "deadline_s": 2.0,
        "packets": {"model": "blocks", "block_bits": 8448, "combining": "chase"},
        "path_loss": {"model": "d2d_outdoor"},
        "shadowing": {"sigma_db": 7.0, "decorrelation_m": 10.0},
        "fading": {"model": "clarke", "sinusoids": 16},
        "power": {"policy": "lemma1", "channel_knowledge": "mean", "margin_db": 6},
    },
    "trace": {"positions_every_s": 1.0},
}
LEARNING: dict[str, Any] = {
    "rounds": 2,
    "method": {"name": "lora", "topology": "ring", "schedule": "asynchronous"},
    "base_model": {"source": "path:model", "dtype": "auto"},
    "adapter": {"rank": 8, "alpha": 16, "target_modules": ["q_proj", "v_proj"]},
    "tasks": {
        "quiz": {
            "source": "jsonl:quiz.jsonl",
            "test": "quiz.jsonl",
            "fields": {
                "prompt": "{question}",
                "choices": "choices.text",
                "labels": "choices.label",
            },
            "relabel": 3,
        },
        "sums": {"dataset": "chain_sum", "parameters": {"min_terms": 2, "max_terms": 2}},
    },
    "training": {"steps": 2, "batch_size": 2, "learning_rate": 2.0e-3},
    "devices": [{"count": 2, "tasks": "quiz"}, {"count": 2, "tasks": "round_robin"}],
    "radio": {"share": "dynamic", "late": "stale"},
    "evaluation": {"every": 1, "samples": 4},
}
_DRONES: dict[str, Any] = {
    "model": "trace", "path": "drones.txt", "separator": "blanks",
    "columns": {"time_s": 0, "device": 1, "x_m": 2, "y_m": 3},
}  # fmt: skip
RECORDED: dict[str, Any] = {
    "rounds": 4,
    "learning": {"model": "none", "payload_bits": 4_000_000, "flop": 1.0e12},
    "method": {"name": "lora", "topology": {"graph": "nearest", "degree": 2, "range_m": 90}},
    "devices": [
        {"count": 2, "mobility": {**_DRONES, "after_end": "repeat"}, "availability": "trace"},
        {
            "count": 2,
            "mobility": {
                "model": "trace", "path": "people.csv", "separator": ";", "untimed": "skip",
                "columns": {"time_s": "when", "device": "who", "lat": "north", "lon": "east"},
                "centre_deg": [48.1, 11.5], "after_end": "away",
            },
        },
        {"count": 1, "mobility": {"model": "trace", "path": "walk.gpx", "untimed": "skip"}},
        {
            "count": 2,
            "mobility": {"model": "trace", "path": "walk.csv", "after_end": "stop",
                         "device_ids": ["a", "c"], "time_origin": 1.5, "offset_m": [3, -4]},
        },
        {"count": 1, "mobility": {"model": "trace", "path": "walk.fcd.xml", "degrees": False}},
    ],
    "radio": {"fading": "block", "power": "max_power", "deadline_s": 1.0},
}  # fmt: skip
PROFILE = """\
source: measured
peak_flop_s: 4.86e+11
utilisation: 0.3
compute: {model: flop, pass_overhead_s: 0.01}
compute_w: 4.0
idle_w: 0.5
pa_efficiency: 0.35
transmit_circuit_w: 0.5
receive_w: 0.6
battery_j: 200.0
"""
SWEEP = """\
name: seeds
scenario: scenario.yaml
seeds: [1, 2]
grid: {radio.bandwidth_hz: [5.0e6, 20.0e6], method: [lora, local, {name: lora, topology: ring}]}
set: {rounds: 2}
"""
CSV = "time_s,device,x_m,y_m\n" + "".join(
    f"{t},{name},{t * 1.5 + n},{-t * 0.5}\n" for t in range(6) for n, name in enumerate("abc")
)
DEGREES = "time_s,device,lat,lon\n" + "".join(
    f"{t},{name},{48.1 + t * 1e-5},{11.5 + n * 1e-4}\n"
    for t in range(4)
    for n, name in enumerate("ab")
)
PEOPLE = "when;who;north;east;age\n" + "".join(
    f"{t if t != 2 else ''};{name};{48.1 + t * 1e-5};{11.5 + n * 1e-4};{n}\n"
    for t in range(5)
    for n, name in enumerate(("Zoë", "it's"))
)
DRONES = "# no header\n" + "".join(
    f"{t}\t {name}  {t * 1.5 + n} -{t}\n" for t in range(6) for n, name in enumerate("de")
)
NS2 = """\
# courtyard
$node_(0) set X_ 10.0
$node_(0) set Y_ 20.0
$node_(0) set Z_ 0.0
$node_(1) set X_ 5
$node_(1) set Y_ 5
$god_ set-dist 0 1 1
$ns_ at 1.0 "$node_(0) setdest 40.0 20.0 1.5"
$ns_ at 2.5 "$node_(1) setdest 9 5 0.5"
$ns_ at 3.0 "$node_(1) switch OFF"
$ns_ at 9.0 "$node_(1) switch ON"
$ns_ at 12.0 "$node_(0) set X_ 1"
"""
FCD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<fcd-export>\n'
    + "".join(
        f'<timestep time="{t}.00"><vehicle id="v0" x="{t}" y="2.0" speed="1"/>'
        f'<person id="p é" x="0.5" y="{t}"/></timestep>\n'
        for t in range(5)
    )
    + "</fcd-export>\n"
)
GPX = (
    '<?xml version="1.0"?>\n<gpx version="1.1" creator="c" '
    'xmlns="http://www.topografix.com/GPX/1/1"><trk><name>one</name><trkseg>\n'
    + "".join(
        f'<trkpt lat="{48.1 + t * 1e-5}" lon="11.5"><ele>500</ele>'
        f"<time>2024-05-01T08:00:{10 + t}Z</time></trkpt>\n"
        for t in range(5)
    )
    + "</trkseg></trk></gpx>\n"
)
QUIZ = "".join(
    json.dumps(row) + "\n"
    for row in (
        {
            "question": "Which is a planet?",
            "choices": {"text": ["the Moon", "Mars"], "label": ["A", "B"]},
            "answer": "B",
        },
        {"question": "é?", "choices": {"text": ["yes", "no"], "label": ["A", "B"]}, "answer": "A"},
    )
)
TEXTS = {
    "walk.csv": CSV,
    "degrees.csv": DEGREES,
    "people.csv": PEOPLE,
    "drones.txt": DRONES,
    "walk.ns2": NS2,
    "walk.fcd.xml": FCD,
    "walk.gpx": GPX,
    "quiz.jsonl": QUIZ,
    "mine.yaml": PROFILE,
    "sweep.yaml": SWEEP,
}


def scenarios() -> list[dict[str, Any]]:
    """The data of valid scenarios: those of the repository, and three that say much."""
    found = [NETWORK, LEARNING, RECORDED]
    for path in sorted((ROOT / "scenarios").glob("*.yaml")):
        found.append(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
    return found
