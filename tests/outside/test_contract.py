"""What holds of the examples, and that each check finds what it is there to find."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from cosim.contract.contract import CHECKS, verdict
from cosim.contract.subject import on_trial
from cosim.contract.verdict import Verdict
from cosim.methods import METHODS
from tests.learning.every_method import QUICK

IMPORTS = """\
import random
from typing import ClassVar, Literal
import numpy as np
import torch
from cosim.methods import *
from cosim.methods.aggregation.mean import Mean
"""
AVERAGE = """\
class Broken(Aggregation):
    name: Literal["broken"] = "broken"
    calls: ClassVar[list[int]] = []
    def mix(self, own, heard, at):
        {first}
        B = sum(part.message.values for part in heard) / len(heard)
        return own.with_adapter(values=B{factor})
METHOD = LORA.with_(name="broken", reference="nobody", aggregation=Broken())
"""
SAYING = """\
class Broken({base}):
    name: Literal["broken"] = "broken"
    {setting}
    def says(self, own, at):
        said = super().says(own, at)
        return {content}
METHOD = {method}.with_(name="broken", reference="nobody", aggregation=Broken())
"""
CHOOSING = """\
class Broken(Expansion):
    name: Literal["broken"] = "broken"
    masked: ClassVar[bool] = True
    def planned(self, layout, density, calibration):
        return np.array([max(1, round(density * size)) for size in layout.expansion_sizes])
    def choose(self, trainer, kept):
        scores = sum(gradient.abs() for gradient in trainer.first_gradients())
        starts = np.cumsum([0, *trainer.layout.expansion_sizes])
        return [
            torch.cat([
                scores[starts[n]:starts[n + 1]].topk(int(count)).indices.sort().values + starts[n]
                for n, count in enumerate(counts)
            ])
            for counts in kept
        ]
METHOD = PROPOSED_SINGLE_CLUSTER.with_(name="broken", reference="nobody", expansion=Broken())
"""
STARTING = """\
class Broken(Expansion):
    name: Literal["broken"] = "broken"
    def first(self, layout):
        return torch.full((layout.expansion_size,), 0.01), None
METHOD = LORA.with_(name="broken", reference="nobody", expansion=Broken())
"""
FORGETTING = """\
class Broken(Aggregation):
    name: Literal["broken"] = "broken"
    own_weights: ClassVar[str] = "uniform"
    keeps_experts: ClassVar[bool] = True
    def mix(self, own, heard, at):
        other = next(part.message for part in heard if part.message.device != at.device)
        return own.with_adapter(values=other.values, support=other.support)
METHOD = PROPOSED_SINGLE_CLUSTER.with_(
    name="broken", reference="nobody", composition="oracle", aggregation=Broken()
)
"""
REMEMBERING = """\
class Broken(Sending):
    name: Literal["broken"] = "broken"
    def speaks(self, own, at):
        return own.remember(self.slot, said=object()), True
METHOD = LORA.with_(name="broken", reference="nobody", sending=Broken())
"""


HOARDING = """\
class Broken(Aggregation):
    name: Literal["broken"] = "broken"
    def mix(self, own, heard, at):
        return own.remember(self.slot, last=heard[0].message.values.clone())
METHOD = LORA.with_(name="broken", reference="nobody", aggregation=Broken())
"""


def averaging(first: str, factor: str = "") -> str:
    """A mean with a line before it, and something behind it."""
    return AVERAGE.format(first=first, factor=factor)


def saying(content: str, method: str = "LORA", base: str = "Aggregation", setting: str = "") -> str:
    """A part that says something else than its base."""
    return SAYING.format(content=content, method=method, base=base, setting=setting or "pass")


# What is broken: the check that is to find it, words of its sentence, and the code.
BROKEN: dict[str, tuple[str, str, str]] = {
    "draws from torch's generator": (
        "twice",
        "disagree in",
        averaging("pass", " + 1e-3 * torch.randn(len(B))"),
    ),
    "draws from numpy's generator": (
        "twice",
        "`at.draw`",
        averaging("pass", " * (1 + 1e-3 * np.random.rand())"),
    ),
    "draws from Python's generator": (
        "twice",
        "`at.draw`",
        averaging("pass", " * (1 + 1e-3 * random.random())"),
    ),
    "keeps state on the class": (
        "resumed",
        "`own.remember`",
        averaging("self.calls.append(at.device)", " * (1 - 1e-2 * len(self.calls))"),
    ),
    "keeps state in the module": (
        "resumed",
        "`own.remember`",
        f"seen = []\n{averaging('seen.append(1)', ' * (1 - 1e-2 * len(seen))')}",
    ),
    "remembers what cannot be stored": (
        "resumed",
        "cannot be stored",
        REMEMBERING,
    ),
    "changes a message in place": (
        "in place",
        "the mixing of device 0 changed in place",
        averaging("heard[-1].message.values.mul_(0.5)"),
    ),
    "changes its own B in place": (
        "in place",
        "the mixing of device 0 changed in place",
        averaging("own.adapter.values.mul_(0.5)"),
    ),
    "changes the common A in place": (
        "in place",
        "the mixing of device 0 changed in place",
        averaging("own.adapter.projection.mul_(0.5)"),
    ),
    "takes over another's mask": (
        "bits",
        "told device 1 'M' once, and now it is another",
        FORGETTING,
    ),
    "says an A that moves once": (
        "bits",
        "told device 1 'A' once, and now it is another",
        saying("(said[0], Values('A', own.adapter.projection, once=True))", base="Mean"),
    ),
    "says more and more": (
        "bits",
        "and was charged",
        saying(
            "(*said, Values('more', torch.zeros(1000 * own.adapter.round, "
            "device=own.adapter.values.device)))",
            base="Mean",
        ),
    ),
    "says a name twice": (
        "bits",
        "says 'B' twice",
        saying("(*said, said[0])", base="Mean"),
    ),
    "says later what it did not foresee": (
        "foreseen",
        "`cosim check` could not be believed",
        saying(
            "(*said, Values('x', own.adapter.values)) if own.adapter.moments else said",
            base="Mean",
        ),
    ),
    "remembers more than it says": ("memory", "`copies` of the parts says 0 times", HOARDING),
    "starts elsewhere": ("zero start", "ΔW of device 0 in model.layers.0.", STARTING),
    "chooses masks by the group": ("grouped", "chose other positions in a group", CHOOSING),
    "unlearns": (
        "learns",
        "did not fall in 4 rounds",
        averaging("pass", " * -3"),
    ),
    "does not end": (
        "learns",
        "device 0 (sums) diverged in round 2",
        averaging("pass", " * float('inf')"),
    ),
}


GOSSIPING = """\
from cosim.methods.schedule.synchronous import Synchronous
class Twice(Synchronous):
    name: Literal["twice"] = "twice"
    def turns(self, round_):
        return (Turn(round_, 0), Turn(round_, 1))
class ByDegree(Weights):
    name: Literal["by_degree"] = "by_degree"
    asks_degrees: ClassVar[bool] = True
    def of(self, device, heard, degrees):
        shares = [
            1 / (1 + max(degrees[device], degrees[part.message.device])) for part in heard
        ]
        others = sum(
            share for share, part in zip(shares, heard) if part.message.device != device
        )
        return [
            1 - others if part.message.device == device else share
            for share, part in zip(shares, heard)
        ]
class Weighed(Mean):
    name: Literal["weighed"] = "weighed"
    own_weights: ClassVar[str] = "by_degree"
METHOD = LORA.with_(
    name="gossip", reference="me", topology="ring", schedule=Twice(), aggregation=Weighed()
)
"""
SOUND = {
    "draws from its own stream": averaging(
        "noise = torch.from_numpy(at.draw('noise').standard_normal(own.adapter.values.shape))",
        " + 1e-3 * noise.float()",
    ),
    "two mixings a round, with weights of its own": GOSSIPING,
}


@pytest.fixture
def tried(tmp_path: Path) -> Callable[[str, str], Verdict]:
    """What one check says of a file."""

    def one(source: str, check: str) -> Verdict:
        path = tmp_path / "broken.py"
        path.write_text(IMPORTS + source, encoding="utf-8")
        with on_trial(f"path:{path}") as subject:
            return verdict(subject, check, CHECKS[check])

    return one


def heavy(cases: Iterable[str], checks: Iterable[str]) -> list[Any]:
    """The cases, those of a check that takes seconds marked so."""
    slow = pytest.mark.slow
    return [
        pytest.param(case, marks=slow if check in ("resumed", "network") else ())
        for case, check in zip(cases, checks, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("what", heavy(BROKEN, [check for check, *_ in BROKEN.values()]))
def test_a_broken_method_is_found_by_the_check_that_is_meant_for_it(
    tried: Callable[[str, str], Verdict], what: str
) -> None:
    check, words, source = BROKEN[what]
    found = tried(source, check)
    assert not found.holds, found.sentence
    assert words in found.sentence
    assert "\n" not in str(found)


@pytest.mark.slow
@pytest.mark.parametrize("check", heavy(CHECKS, CHECKS))
def test_a_mean_written_outside_passes_every_check(
    tried: Callable[[str, str], Verdict], check: str
) -> None:
    assert tried(averaging("pass"), check).holds


@pytest.mark.slow
@pytest.mark.parametrize("what", SOUND)
def test_what_looks_like_a_fault_and_is_none(
    tried: Callable[[str, str], Verdict], what: str
) -> None:
    for check in ("bits", "in place", "twice", "resumed", "network"):
        found = tried(SOUND[what], check)
        assert found.holds, found.sentence


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_package_keeps_the_contract(name: str) -> None:
    """In full where a method brings a part of its own; of the others, what no test of the learner
    holds it against."""
    others = ["bits", "foreseen", "in place", "discarded", "network"]
    checks = list(CHECKS) if name in QUICK or name == "ef_hc" else others
    with on_trial(name) as subject:
        verdicts = [verdict(subject, check, CHECKS[check]) for check in checks]
    assert [str(found) for found in verdicts if not found.holds] == []
