"""Is everything there that a run leaves behind, and is the hash of its tables what it was?"""

from __future__ import annotations

from cosim.errors import CosimError
from cosim.trace.content_hash import results_sha256
from cosim.trace.files import PARTS, compacted_file
from cosim.trace.manifest import MANIFEST_FILE, Status
from cosim.trace.schema import EVERY_SCHEMA, SCHEMAS
from cosim.verification.finding import Check, Finding
from cosim.verification.subject import Subject

_ENDED = (Status.COMPLETED, Status.INTERRUPTED, Status.FAILED)


def check_files(run: Subject) -> Check:
    """Manifest and scenario readable, the run ended, every table compacted, no parts left."""
    findings = list(run.unread)
    status = None if run.manifest is None else run.manifest.get("status")
    if run.manifest is not None and status not in _ENDED:
        state = f"{status!r}, which goes on or was killed"
        findings.append(Finding(MANIFEST_FILE, "status", " or ".join(_ENDED), state))
    for table in SCHEMAS:
        if not compacted_file(run.directory, table).is_file():
            findings.append(Finding(f"{table}.parquet", "file", "a table", "none"))
    if status in _ENDED and (run.directory / PARTS).exists():
        findings.append(Finding(f"{PARTS}/", "folder", "none in a run that has ended", "one"))
    tables = sum(compacted_file(run.directory, table).is_file() for table in EVERY_SCHEMA)
    return Check("files", f"{tables} tables, the run is {status}", findings)


def check_schema(run: Subject) -> Check:
    """Columns, types, units, closed vocabularies, as `cosim.trace.schema` declares them."""
    columns = sum(len(EVERY_SCHEMA[table]) for table in run.tables)
    return Check("schema", f"{columns} columns with their types and units", run.unusable)


def check_hash(run: Subject) -> Check:
    """The content of all tables has the hash that the manifest says."""
    if run.manifest is None:
        return Check("hash", skipped=f"{MANIFEST_FILE} cannot be read")
    expected = run.manifest.get("results_sha256")
    what = "results_sha256"
    if expected is None:
        finding = Finding(MANIFEST_FILE, what, "a SHA-256 of the tables", "none")
        return Check("hash", findings=[finding])
    try:
        digest = results_sha256(run.directory)
    except CosimError as error:
        return Check("hash", findings=[Finding(MANIFEST_FILE, what, str(expected), str(error))])
    if digest != expected:
        return Check("hash", findings=[Finding(MANIFEST_FILE, what, str(expected), digest)])
    return Check("hash", f"results_sha256 is {digest[:16]}…")
