"""Peak resident memory of a short run, beside what `cosim check` says of the scenario.

    python tests/benchmarks/memory.py                        # quickstart; paper with lora, proposed
    python tests/benchmarks/memory.py --case scenarios/quickstart.yaml method=local

Every run is a process of its own: two rounds, evaluated after the second. A case is a scenario and
what to set in it. Beside them what the process takes before any model is there: torch and
transformers imported. No test: what a machine shares between processes differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SCENARIOS = Path(__file__).parent.parent.parent / "scenarios"
PAPER = str(SCENARIOS / "paper" / "smollm2.yaml")
CASES = [
    [str(SCENARIOS / "quickstart.yaml")],
    [PAPER, "method=lora"],
    [PAPER, "method=proposed"],
]
SHORT = ["rounds=2", "evaluation.every=2", "trace.adapters=false"]
IMPORTS = "import torch; from transformers import AutoTokenizer, LlamaForCausalLM"
PREDICT = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from cosim.learning.base.base_model import native_dtype, skeleton
from cosim.learning.prepare import fitting, read_tasks
from cosim.scenario.load import load_with_document
scenario, _ = load_with_document(Path(sys.argv[1]), sys.argv[2:])
choice = scenario.base_model
model, tokenizer = skeleton(choice.source)
dtype = native_dtype(choice.dtype, choice.device)
_, estimate = fitting(scenario, model, dtype, read_tasks(scenario, tokenizer))
print(json.dumps({**asdict(estimate), "total": estimate.total}))
"""


def predicted(case: list[str], short: list[str]) -> dict[str, float]:
    """Bytes by use and in total, as the check before a run has them."""
    command = [sys.executable, "-c", PREDICT, *case, *short]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def peak_bytes(command: list[str]) -> int:
    """The largest resident set of a command, which must end well."""
    with tempfile.TemporaryFile("w+") as told:
        child = subprocess.Popen(command, stdout=told, stderr=told)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            told.seek(0)
            sys.exit(f"{' '.join(command)} ended with {child.returncode}:\n{told.read()[-2000:]}")
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", nargs="+", action="append", metavar=("SCENARIO", "SET"), help="may be repeated"
    )
    parser.add_argument("--set", nargs="*", default=SHORT, help="for all cases; default: short")
    given = parser.parse_args()
    alone = peak_bytes([sys.executable, "-c", IMPORTS])
    table = [f"{'':40}  predicted GiB  measured GiB  predicted/measured"]
    for case in given.case or CASES:
        estimate = predicted(case, given.set)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "cosim", "run", case[0], "--quiet"]
            command += ["--out", str(Path(folder) / "run")]
            for value in [*case[1:], *given.set]:
                command += ["--set", value]
            peak = peak_bytes(command)
        name = " ".join([Path(case[0]).stem, *case[1:]])
        gib = {use: round(size / 2**30, 2) for use, size in estimate.items()}
        row = {
            "benchmark": "memory",
            "case": name,
            "predicted_gib": gib,
            "measured_gib": round(peak / 2**30, 2),
            "imports_alone_gib": round(alone / 2**30, 2),
            "predicted_of_measured": round(estimate["total"] / peak, 3),
        }
        print(json.dumps(row), flush=True)
        ratio = estimate["total"] / peak
        table.append(f"{name:40}  {gib['total']:13.2f}  {peak / 2**30:12.2f}  {ratio:18.2f}")
    print("\n".join(table))
    print(f"torch and transformers imported alone: {alone / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()
