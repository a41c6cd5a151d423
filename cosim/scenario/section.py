"""The base of every section of a scenario: frozen, strict about keys, finite numbers only."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from cosim.errors import ScenarioError


class Section(BaseModel):
    """A section is a mapping in the YAML; unknown keys and infinite numbers are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises ScenarioError: what a scenario says is never changed in place."""
        if not name.startswith("_"):
            raise ScenarioError(
                f"what was read is not changed in place ({name} = {value!r}); with_ gives another "
                'scenario, as in scenario.with_(rounds=5) or scenario.with_({"radio.deadline_s": '
                "3})."
            )
        super().__setattr__(name, value)
