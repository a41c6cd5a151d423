"""Methods of every way of speaking keep the contract with a codec, as they do without."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cosim.contract.contract import CHECKS
from cosim.contract.subject import on_trial
from cosim.methods import METHODS
from cosim.methods.codec.rounded import Rounded
from cosim.methods.codec.slot import Codec
from cosim.methods.codec.top_k import TopK

ROUNDED, TOP_K = Rounded(bits=4), TopK(share=0.1)
# What a codec has a hand in.
TRIED = ("bits", "foreseen", "in place", "discarded", "twice", "resumed")
CASES: dict[str, Sequence[Codec]] = {
    "lora": (ROUNDED, TOP_K),  # both factors whole
    "lori": (TOP_K,),  # masks
    "full_finetune": (ROUNDED,),  # no adapter
    "rolora": (TOP_K,),  # one factor at a time
    "proposed": (ROUNDED,),  # calibrated
    "salf": (ROUNDED,),  # blocks
    "event_gossip": (ROUNDED,),  # silence
    "ef_hc": (ROUNDED,),  # answers
    "flexatc": (ROUNDED,),  # by coin
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        pytest.param(name, codec, id=f"{name}, {codec}")
        for name, codecs in CASES.items()
        for codec in codecs
    ],
)
def test_the_contract_holds_with_a_codec(name: str, codec: Codec) -> None:
    with on_trial(name) as subject:
        coded = METHODS[name].with_(codec=codec)
        scenario = subject.scenario.model_copy(update={"method": coded})
        for check in TRIED:
            # One that fails raises, with the sentence.
            assert CHECKS[check](replace(subject, scenario=scenario)), check
