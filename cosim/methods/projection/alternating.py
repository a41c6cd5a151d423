"""`alternating`: B and A are trained by turns, each for so many rounds."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from cosim.methods.aggregation.slot import Aggregation
from cosim.methods.chosen import Chosen
from cosim.methods.layout import Layout
from cosim.methods.message import Said, Values
from cosim.methods.projection.trained import Trained
from cosim.methods.sending.slot import Sending
from cosim.methods.state import DeviceState
from cosim.topology.mixing import best_interval

_FACTORS = {"expansion": "BA", "projection": "AB"}


class Alternating(Trained):
    """A starts the same for all devices; round t trains B or A, by ⌊(t − 1)/T⌋ mod 2.

    With `interval: connectivity` or `realised` T is round(1/√(1 − ρ)), at least 1, the order in
    which the best T grows (arXiv 2602.00451). Ours are the constant 1 and where ρ comes from. Of
    `connectivity` it is that of the topology's law and the weights, with devices where they are at
    the start, all of them there, equal in rows, speaking in every round, and heard. Of `realised`
    it is that of the matrices that all rounds really mix where the network plays alone before the
    run: what is late, cut off or out of reach is missing from them. So all devices know T before
    they begin, and it stays for the run. `cosim check` tells it.
    """

    name: Literal["alternating"] = "alternating"  # type: ignore[assignment]
    interval: Annotated[int, Field(ge=1)] | Literal["connectivity", "realised"] = Field(
        1,
        description="T, rounds in a row that train one factor, before they train the other; or "
        "1/√(1 − ρ) by how fast devices agree: connectivity, in the topology with these weights; "
        "realised, over the scenario's links, played alone before the run",
    )
    starts_with: Literal["expansion", "projection"] = Field(
        "expansion",
        description="what the first T rounds train; where B = 0, A has no gradient and they are "
        "lost",
    )
    factors: Literal["both", "active"] = Field(
        "both",
        description="what is on the air: A and B every round, so that the idle one is mixed too; "
        "or the one that the round trained",
    )
    moves: ClassVar[bool] = True

    def refuses(self, method: Chosen) -> str | None:
        """A masked B, and half a message for an aggregation that reads both factors."""
        if method.expansion.masked:
            return (
                f"projection {self} trains B and A by turns, and expansion {method.expansion} "
                "chooses its mask in a round that trains B: use 'dense'"
            )
        whole = method.aggregation.exchanges and not method.aggregation.by_factor
        if self.factors == "active" and whole:
            return (
                f"projection {self} sends one factor a round, and aggregation "
                f"{method.aggregation} reads both: use 'mean', or factors: both"
            )
        return self._unknown(method) if self.asks_contraction else None

    def cautions(self, method: Chosen) -> str | None:
        """A factor that rests unmixed for several rounds."""
        if self.factors == "active" and self.interval != 1 and method.aggregation.exchanges:
            return (
                f"method.projection: {self}: while one factor is trained and sent the other stays "
                "as each device has it, another at every device, for all of an interval; RoLoRA, "
                "which sends one, has interval: 1, and TAD-LoRA mixes both"
            )
        return None

    def _unknown(self, method: Chosen) -> str | None:
        """Why ρ is not defined for a method; None where it is."""
        needs = f"projection {self} needs ρ of a round's mixing: "
        if not method.schedule.waits:
            return (
                f"{needs}with schedule '{method.schedule.word()}' devices mix what has come by "
                "then; give T as a number"
            )
        if method.topology.negotiated:
            return (
                f"{needs}groups of topology '{method.topology.word()}' form by messages, and are "
                "not known before; give T as a number"
            )
        if not (method.aggregation.exchanges and method.aggregation.averages):
            return f"{needs}aggregation '{method.aggregation.word()}' averages nothing; give T"
        if not method.weighing.renormalised:
            return (
                f"{needs}the shares of weights '{method.weighing.word()}' do not sum to 1; use "
                "others, or give T as a number"
            )
        if self.asks_rehearsal:
            return self._unrehearsed(method, needs)
        return None

    def _unrehearsed(self, method: Chosen, needs: str) -> str | None:
        """Why nobody knows what is mixed before something is learnt; None where one does."""
        aggregation, sending = method.aggregation, method.sending
        if type(sending).speaks is not Sending.speaks:
            return (
                f"{needs}with sending '{sending.word()}' who speaks hangs on what is learnt, and "
                "the network alone does not know it; use 'connectivity', or give T as a number"
            )
        same = type(aggregation).effective_shares is Aggregation.effective_shares
        if aggregation.remembers or not same:
            return (
                f"{needs}aggregation '{aggregation.word()}' mixes other shares than the weights' "
                "of what has just arrived; use 'connectivity', or give T as a number"
            )
        return None

    @property
    def asks_contraction(self) -> bool:
        """Where T hangs on it."""
        return not isinstance(self.interval, int)

    @property
    def asks_rehearsal(self) -> bool:
        """Where T hangs on what is realised."""
        return self.interval == "realised"

    def told(self, contraction: float) -> Self:
        """With T as a number."""
        if not self.asks_contraction:
            return self
        return self.model_copy(update={"interval": best_interval(contraction)})

    def trains(self, round_: int) -> frozenset[str]:
        """The factor whose turn it is; whatever T, the first round's is known."""
        turn, before = 0, max(round_, 1) - 1
        if before:
            if not isinstance(self.interval, int):
                raise ValueError(f"projection {self} has not been told how fast devices agree")
            turn = before // self.interval % 2
        return frozenset(_FACTORS[self.starts_with][turn])

    def sends(self, round_: int) -> frozenset[str]:
        """Both, or the one that was trained."""
        return frozenset("AB") if self.factors == "both" else self.trains(round_)

    def says(self, own: DeviceState, layout: Layout) -> tuple[Said, ...]:
        """A itself, in the rounds that send it."""
        if "A" not in self.sends(own.adapter.round):
            return ()
        return (Values("A", own.adapter.projection),)
