"""What the index of stored adapters may say; a file from elsewhere may say anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosim.errors import ExportError

FORMAT = 1

_Size = Annotated[int, Field(ge=0, le=10**9)]
_Rank = Annotated[int, Field(ge=1, le=4096)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class StoredModule(_Part):
    """The index describes an adapted layer as `AdaptedModule` does."""

    name: str
    layer: _Size
    out_features: Annotated[int, Field(ge=1, le=10**9)]
    in_features: Annotated[int, Field(ge=1, le=10**9)]
    transposed: bool = False


class StoredStream(_Part):
    """A stored stream names an A that a seed gives, and the hash of what it gives."""

    stream: tuple[Annotated[int, Field(ge=0, le=2**63 - 1)], _Size | Literal["shared"]] = Field(
        strict=False
    )
    printed: bool
    digest: str


class StoredAdapter(_Part):
    """A stored adapter is its tensors, by name."""

    values: str
    support: str | None
    projection: str | StoredStream


class StoredExpert(StoredAdapter):
    """A stored expert is an adapter that a device answers with."""

    owner: _Size | None
    task: str


class StoredDevice(_Part):
    """A stored device has its own adapter and its experts.

    features: h of its task at the gate's blocks, one after the other; None where no gate asks.
    """

    device: _Size
    task: str
    adapter: StoredAdapter
    experts: list[StoredExpert]
    # The index's where there is none.
    rank: _Rank | None = None
    features: str | None = None


class StoreIndex(_Part):
    """The index names everything stored; tensors lie in files beside it, never elsewhere.

    blocks: the transformer blocks at whose inputs features were read.
    """

    format: Literal[1]
    rank: _Rank
    scale: float
    modules: list[StoredModule]
    tensors: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]]
    devices: list[StoredDevice]
    blocks: list[_Size] = []


def read_index(path: Path) -> StoreIndex:
    """The index of a folder of adapters; raises ExportError where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("format") != FORMAT:
            raise ExportError(f"{path} is of format {content.get('format')}; expected {FORMAT}.")
        return StoreIndex.model_validate(content)
    except ValidationError as refused:
        mistake = refused.errors(include_url=False)[0]
        where = ".".join(map(str, mistake["loc"])) or "the whole"
        reason = f"{where}: {mistake['msg']}"
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    raise ExportError(f"{path} is not a readable index of adapters: {reason}.")
