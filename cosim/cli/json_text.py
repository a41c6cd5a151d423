"""JSON on standard output."""

from __future__ import annotations

import json
import sys


def json_text(content: object, *, finite: bool = False) -> str:
    """Content as JSON, in letters that standard output can encode: where it lacks one all others
    than ASCII are escaped, so that a program reads what was meant.

    finite: whether a number that is not finite is an error.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=not finite)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, indent=2, allow_nan=not finite)
    return text
