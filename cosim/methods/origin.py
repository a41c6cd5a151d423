"""Where a method from outside comes from."""

from __future__ import annotations

from pydantic import Field

from cosim.methods.part import Choice


class Origin(Choice):
    """An origin is the file or the installed package that a method comes from, and its digest."""

    path: str | None = Field(None, description="of the file; null where a package has it")
    entry_point: str | None = Field(None, description="of the package, under cosim.methods")
    sha256: str = Field(description="of the file, or of the package's module; another is refused")
