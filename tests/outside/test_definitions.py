"""What a method's file defines and its slot would never look at is refused, in words that help."""

import re
from pathlib import Path

import pytest

from cosim.errors import MethodError
from cosim.methods.outside import method_of_file

HEAD = """\
from typing import ClassVar, Literal
from pydantic import Field
from cosim.methods import LORA, Aggregation, Expansion, Sending, Topology, Weights
"""


def part(slot: str, body: str) -> str:
    """A method with a part of a slot whose class has a body, in line 4."""
    key = "graph" if slot == "Topology" else "name"
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return (
        f'{HEAD}class Mine({slot}):\n    {key}: Literal["mine"] = "mine"\n{lines}'
        f'METHOD = LORA.with_(name="m", topology="ring", {slot.lower()}=Mine())\n'
    )


MIX = "def mix(self, own, heard, at): return own"
# The file's text, its line that is told, and how the sentence goes on.
REFUSED = {
    "an unknown slot": (
        f"{HEAD}METHOD = LORA.with_(name='m', agregation='mean')\n",
        4,
        "a method has no slot 'agregation'; did you mean 'aggregation'?",
    ),
    "a class": (
        part("Aggregation", MIX).replace("Mine())", "Mine)"),
        7,
        "aggregation: Mine is a class and not a part: write Mine()",
    ),
    "METHOD is a class": (
        f"{part('Aggregation', MIX)}METHOD = Mine\n",
        None,
        "METHOD is the class Mine; expected METHOD = LORA.with_(",
    ),
    "another slot's part": (
        part("Aggregation", MIX).replace("aggregation=", "weights="),
        7,
        "weights: Mine is a part of slot aggregation and stands in slot weights: write "
        "aggregation=Mine()",
    ),
    "an unknown word": (
        f"{HEAD}METHOD = LORA.with_(name='m', topology='rng')\n",
        4,
        "topology: 'rng' is not one of none, complete, ring, line,",
    ),
    "no word and no part": (
        f"{HEAD}METHOD = LORA.with_(name='m', topology=3)\n",
        4,
        "topology: expected a part, its word, or a mapping of its settings, got 3",
    ),
    "a setting that there is not": (
        part("Aggregation", f"beta: float = 0.5\n{MIX}").replace("Mine()", "Mine(bta=1)"),
        8,
        "Mine has no setting 'bta'; did you mean 'beta'? (it has beta)",
    ),
    "a built-in part's setting that there is not": (
        f"{HEAD}METHOD = LORA.with_(name='m', topology={{'graph': 'random', 'degre': 1}})\n",
        4,
        "topology: random: RandomGraph has no setting 'degre'; did you mean 'degree'?",
    ),
    "a setting beyond its range": (
        part("Aggregation", f"beta: float = Field(0.5, ge=0)\n{MIX}").replace("()", "(beta=-1)"),
        8,
        "beta: input should be greater than or equal to 0, got -1",
    ),
    "a setting without a value": (
        part("Aggregation", f"beta: float\n{MIX}"),
        8,
        "Mine is made without 'beta', which has no default",
    ),
    "a setting without a type": (
        part("Aggregation", f"beta = 0.5\n{MIX}"),
        4,
        "a setting needs a type: beta: float = 0.5; what is no setting needs one, too: "
        "beta: ClassVar[float] = 0.5\n",
    ),
    "a value of many lines without a type": (
        part("Aggregation", f"other = LORA\n{MIX}"),
        4,
        "a setting needs a type: other: Any = …; what is no setting",
    ),
    "a misspelt value of the slot": (
        part("Weights", "asks_degree = True"),
        4,
        "a setting needs a type: asks_degree: bool = True; what is no setting needs one, too: "
        "asks_degree: ClassVar[bool] = True; did you mean 'asks_degrees'?",
    ),
    "a word without a type": (
        part("Sending", "").replace(': Literal["mine"]', ""),
        4,
        "a part's word needs its type: name: Literal['mine'] = 'mine'",
    ),
    "a property without a type": (
        part("Sending", "bits_of_silence = 64"),
        4,
        "`bits_of_silence` is a property of slot sending: write bits_of_silence: ClassVar[int] = "
        "64, or @property",
    ),
    "a property of every slot without a type": (
        part("Sending", "copies = 1.0"),
        4,
        "`copies` is a property of every slot: write copies: ClassVar[float] = 1.0",
    ),
    "a value in a method's place": (
        part("Sending", "speaks = True"),
        4,
        "`speaks` is a method of slot sending: write def speaks(self, …)",
    ),
    "a misspelt method": (
        part("Sending", "def speak(self, own, turn): return own, False"),
        4,
        "Mine: slot sending has no `speak`; did you mean 'speaks'?",
    ),
    "a misspelt property": (
        part("Sending", "@property\ndef answer(self): return True"),
        4,
        "Mine: slot sending has no `answer`; did you mean 'answers'?",
    ),
    "a misspelt value with a type": (
        part("Weights", "asks_degree: ClassVar[bool] = True"),
        4,
        "Mine: slot weights has no `asks_degree`; did you mean 'asks_degrees'?",
    ),
    "a method in a property's place": (
        part("Sending", "def bits_of_silence(self): return 64"),
        4,
        "Mine: `bits_of_silence` is a property in its slot: write @property above it",
    ),
    "a property in a method's place": (
        part("Sending", "@property\ndef opens(self): return True"),
        4,
        "Mine: `opens` is a method in its slot: write def opens(self, …) without @property",
    ),
    "a method in a value's place": (
        part("Expansion", "def masked(self): return False"),
        4,
        "Mine: `masked` is a value in its slot, False unless a part says otherwise",
    ),
    "a setting in a property's place": (
        part("Sending", "bits_of_silence: int = 64"),
        4,
        "Mine: `bits_of_silence` is a property in its slot, and a setting does not take its place",
    ),
}


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_told_in_a_sentence_with_its_line(tmp_path: Path, what: str) -> None:
    text, line, words = REFUSED[what]
    file = tmp_path / "bad.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MethodError) as refused:
        method_of_file(file)
    told = str(refused.value)
    place = f"{file}:{line}: " if line else f"{file}: "
    assert f"{told}\n".startswith(f"{place}{words}")
    assert "\n" not in told
    assert not re.search("[Pp]ydantic|model_config|discriminator|Input", told)


ALLOWED = {
    "helpers": "def mixed(self): return 1\n@staticmethod\ndef trimmed(n): return n",
    "a helper nearly called like what is asked": "def _speak(self): return 1",
    "what the part itself calls": "def speak(self): return 1\n"
    "def opens(self, round_, random): return self.speak() > 0",
    "a value for a property": "copies: ClassVar[float] = 2.0",
    "a value of the slot": "every_turn = True",
    "a property in a value's place": "@property\ndef every_turn(self): return True",
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_is_new_or_rightly_named_is_taken(tmp_path: Path, what: str) -> None:
    (tmp_path / "good.py").write_text(part("Sending", ALLOWED[what]), encoding="utf-8")
    assert method_of_file(tmp_path / "good.py").sending.word() == "mine"
