"""A measured profile: put together, told apart from what is not measured, and written."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from statistics import median

from ruamel.yaml import YAML

from cosim.errors import ProfileError
from cosim.profiling.fit import Fitted
from cosim.scenario.model import Scenario
from cosim.scenario.profile import Profile


def measured_profile(
    fitted: Fitted,
    power: Profile,
    source: str,
    compute_w: float | None = None,
    idle_w: float | None = None,
) -> Profile:
    """The fitted speed with another profile's power, or the given watts."""
    options = {"compute_w": compute_w, "idle_w": idle_w}
    watts = {name: watt for name, watt in options.items() if watt is not None}
    speed = {"peak_flop_s": fitted.flop_s, "utilisation": 1.0, "compute": fitted.compute}
    return power.model_copy(update={"source": source, "speed": 1.0, **speed, **watts})


def source_of(
    scenario: Scenario, machine: str, errors: Sequence[float], power_of: str, given: Sequence[str]
) -> str:
    """Where every figure of a measured profile comes from."""
    adapter = scenario.adapter
    modules = adapter.target_modules
    targets = modules if isinstance(modules, str) else " ".join(modules)
    copied = "watts, radio and battery" if not given else "all other watts, radio and battery"
    clause = f"{' and '.join(given)} given, " if given else ""
    error = median(map(abs, errors))
    return (
        f"measured: {machine}, {scenario.base_model.source}, {targets}, about rank {adapter.rank}; "
        f"{len(errors)} durations fitted with a median error of {error:.1%}; peak_flop_s is what "
        f"is attained beside the overheads; {clause}{copied} are not measured but copied from "
        f"{power_of}"
    )


def write_profile(profile: Profile, path: Path) -> None:
    """Writes a profile as YAML that `path:<file>` reads; ProfileError where that fails."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.representer.sort_base_mapping_type_on_output = False
    yaml.width = 1 << 20
    text = StringIO()
    yaml.dump(profile.model_dump(mode="json"), text)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text.getvalue())
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise ProfileError(f"{path}: cannot be written: {(error.strerror or '').lower()}") from None


def refuse_unwritable(path: Path) -> None:
    """Raises ProfileError where a profile could not be written after all the measuring."""
    if path.exists():
        raise _taken(path)
    if not path.absolute().parent.is_dir():
        raise ProfileError(f"{path}: the directory does not exist")


def _taken(path: Path) -> ProfileError:
    return ProfileError(f"{path}: exists already; name another file with --out")
