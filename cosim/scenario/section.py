"""The base of every section of a scenario: frozen, strict about keys, finite numbers only."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section is a mapping in the YAML; unknown keys and infinite numbers are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )
