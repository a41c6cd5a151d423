"""Methods of every way of speaking keep the contract with a codec, as they do without."""

from dataclasses import replace

import pytest

from cosim.contract.contract import CHECKS
from cosim.contract.subject import on_trial
from cosim.methods import METHODS
from cosim.methods.codec.rounded import Rounded
from cosim.methods.codec.slot import Codec
from cosim.methods.codec.top_k import TopK

CODECS: list[Codec] = [Rounded(bits=4), TopK(share=0.1)]
# What a codec has a hand in.
TRIED = ("bits", "foreseen", "in place", "discarded", "twice", "resumed")
# Both factors whole; masks; no adapter; one factor at a time; calibrated; blocks; silence; by coin.
NAMES = (
    *("lora", "lori", "full_finetune", "rolora"),
    *("proposed", "salf", "event_gossip", "ef_hc", "flexatc"),
)
CASES = [
    pytest.param(name, codec, id=f"{name}, {codec}")
    for name in NAMES
    for codec in CODECS
    if codec.refuses(METHODS[name]) is None
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), CASES)
def test_the_contract_holds_with_a_codec(name: str, codec: Codec) -> None:
    with on_trial(name) as subject:
        coded = METHODS[name].with_(codec=codec)
        scenario = subject.scenario.model_copy(update={"method": coded})
        for check in TRIED:
            # One that fails raises, with the sentence.
            assert CHECKS[check](replace(subject, scenario=scenario)), check
