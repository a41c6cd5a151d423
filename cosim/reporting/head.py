"""What a run is: its method, seed, status and hash, how to repeat it, and what verify found."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from cosim.reporting.markup import Markup, tag
from cosim.trace.manifest import Status
from cosim.trace.reader import SCENARIO_FILE, Run
from cosim.trace.standing import STOPPED, how_to_go_on, standing
from cosim.verification.finding import Check
from cosim.verification.verify import verify


@dataclass(frozen=True)
class VerificationNote:
    """A verification's note is what one found, or why none was made.

    sentence: in words.
    wrong: the lines of what is wrong.
    """

    sentence: str
    wrong: Sequence[str] = ()


def verification_note(run: Run, *, verified: bool) -> VerificationNote:
    """The note on a run directory; none is made of a run that has not ended."""
    if not verified:
        return VerificationNote("not run; cosim verify does it")
    status = standing(run)
    if status not in (Status.COMPLETED, Status.INTERRUPTED):
        return VerificationNote(f"not run: the run's status is {status}")
    checks: list[Check] = list(verify(run.directory))
    failed = [check for check in checks if check.findings]
    if failed:
        names = ", ".join(check.name for check in failed)
        lines = [line for check in failed for line in check.lines()]
        return VerificationNote(f"{len(failed)} of {len(checks)} checks failed: {names}", lines)
    made = sum(check.ok for check in checks)
    return VerificationNote(f"{made} of {len(checks)} checks made, nothing wrong")


def head(run: Run, note: VerificationNote) -> Markup:
    """The name, what is known of the run as a whole, and warnings."""
    manifest, status = run.manifest, standing(run)
    digest = manifest.get("results_sha256")
    command = f"cosim run {shlex.quote(str(run.directory / SCENARIO_FILE))}"
    facts: list[tuple[str, str | Markup]] = [
        ("method", str(manifest.get("method", "?"))),
        ("seed", str(manifest.get("seed", "?"))),
        ("status", f"{status}: {how_to_go_on(run)}" if status == STOPPED else status),
        ("results", tag("code", str(digest), class_="hash") if digest else "no hash yet"),
        ("made by", f"cosim {manifest.get('cosim', '?')}"),
        ("repeat it", tag("code", command)),
        ("verify", tag("strong", note.sentence) if note.wrong else note.sentence),
    ]
    if manifest.get("base_model"):
        facts.insert(2, ("base model", str(manifest["base_model"])))
    warnings = [f"Warning: {sentence}" for sentence in manifest.get("warnings", ())]
    return tag(
        "header",
        tag("h1", str(manifest.get("name", run.directory.name))),
        tag("dl", [(tag("dt", name), tag("dd", words)) for name, words in facts], class_="facts"),
        [tag("p", line, class_="warning") for line in [*note.wrong, *warnings]],
    )
