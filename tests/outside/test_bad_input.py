"""A method's file that cannot be used is told of in one sentence with its line; nothing is
written."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command, Ended
from tests.outside.conftest import Scenario

HEAD = """\
from typing import Literal
import torch
from cosim.methods import LORA, Aggregation, Sending

"""
PART = """\
class Mine({base}):
    name: Literal["{word}"] = "{word}"
    def mix(self, own, heard, at):
        {body}

"""
LORA = 'METHOD = LORA.with_(name="mine", reference="me", aggregation=Mine())\n'


def mixing(body: str) -> str:
    """A method whose `mix` is this."""
    return HEAD + PART.format(base="Aggregation", word="mine", body=body) + LORA


# What is wrong: the file's text, its line, and words of the sentence.
BAD: dict[str, tuple[str, int | None, tuple[str, ...]]] = {
    "no METHOD": (HEAD, None, ("there is no METHOD; expected METHOD = LORA.with_(",)),
    "METHOD of another name": (
        f'{HEAD}MINE = LORA.with_(name="mine")\n',
        None,
        ("there is no METHOD", "MINE is one: call it METHOD"),
    ),
    "METHOD under another's name": (
        f"{HEAD}METHOD = LORA.with_(topology='ring')\n",
        None,
        ("METHOD is named 'lora', as a method of the package is: give it a name of its own",),
    ),
    "METHOD is no method": ("METHOD = 3\n", None, ("METHOD is int; expected METHOD = ",)),
    "syntax": ("x = 1\nif x\n", 2, ("SyntaxError: expected ':'",)),
    "an import": (f"{HEAD}import nothing_of_the_kind\n", 5, ("ModuleNotFoundError: No module",)),
    "a name": (f"{HEAD}METHOD = LORRA\n", 5, ("NameError: name 'LORRA' is not defined",)),
    "it ends the process": (f"{HEAD}raise SystemExit(0)\n", 5, ("SystemExit: 0",)),
    "not UTF-8": ("x = '\udcff'\n", None, ("SyntaxError",)),
    "a NUL": ("x = 1\0\n", None, ("source code string cannot contain null bytes",)),
    "a word that is taken": (
        HEAD + PART.format(base="Aggregation", word="mean", body="return own") + LORA,
        5,
        ("Mine: the aggregation 'mean' is taken by cosim.methods.aggregation.mean",),
    ),
    "a word twice in the file": (
        mixing("return own")
        + PART.format(base="Aggregation", word="mine", body="return own").replace("Mine", "Other"),
        11,
        ("Other: the aggregation 'mine' is taken by this file",),
    ),
    "a topology that joins nobody": (
        f"{HEAD}from cosim.methods import Topology\n"
        "class Mine(Topology):\n"
        '    graph: Literal["mine"] = "mine"\n'
        'METHOD = LORA.with_(name="x", topology=Mine())\n',
        6,
        ("Mine: the topology 'mine' has no `edges`, which its slot asks",),
    ),
    "an aggregation that mixes nothing": (
        f"{HEAD}class Mine(Aggregation):\n"
        '    name: Literal["mine"] = "mine"\n'
        'METHOD = LORA.with_(name="x", aggregation=Mine())\n',
        5,
        ("Mine: the aggregation 'mine' has no `mix`, which its slot asks",),
    ),
    "a mask that nobody chooses": (
        f"{HEAD}from cosim.methods import Expansion\n"
        "class Mine(Expansion):\n"
        '    name: Literal["mine"] = "mine"\n'
        "    masked = True\n"
        'METHOD = LORA.with_(name="x", expansion=Mine())\n',
        6,
        ("Mine: the expansion 'mine' has no `choose`, which its slot asks",),
    ),
    "a part without a word": (
        f"{HEAD}class Mine(Sending):\n    pass\n\nMETHOD = LORA.with_(name='x', sending=Mine())\n",
        None,
        ("Mine has no word", 'declare name: Literal["my_word"]'),
    ),
    "an unknown slot": (
        f"{HEAD}METHOD = LORA.with_(name='mine', agregation='mean')\n",
        5,
        ("no slot 'agregation'; did you mean 'aggregation'?",),
    ),
    "an unknown word": (
        f"{HEAD}METHOD = LORA.with_(name='mine', aggregation='men')\n",
        5,
        ("aggregation: ",),
    ),
    "parts that do not fit": (
        f"{HEAD}METHOD = LORA.with_(name='mine', topology='none')\n",
        5,
        ("topology 'none' and aggregation 'mean' do not fit",),
    ),
    "mix returns too few values": (
        mixing("return own.with_adapter(values=own.adapter.values[1:])"),
        7,
        (
            "mix of aggregation 'mine' returned B as torch.float32 of shape",
            "expected torch.float32",
        ),
    ),
    "mix returns another type": (
        mixing("return own.with_adapter(values=own.adapter.values.double())"),
        7,
        ("returned B as torch.float64 of shape",),
    ),
    "mix returns no tensor": (
        mixing("return own.with_adapter(values=[0.0])"),
        7,
        ("returned B as list, expected a tensor",),
    ),
    "mix returns A in another shape": (
        mixing("return own.with_adapter(projection=own.adapter.projection.view(2, -1))"),
        7,
        ("returned A as torch.float32 of shape (2, ",),
    ),
    "mix returns nothing": (mixing("pass"), 7, ("returned NoneType, expected a DeviceState",)),
    "mix gives B a support": (
        mixing("return own.with_adapter(support=torch.arange(3))"),
        7,
        ("returned B with a support, expected one as before",),
    ),
    "mix fails": (mixing("return heard[99]"), 8, ("IndexError: list index out of range",)),
    "says without the mask": (
        f"{HEAD}from cosim.methods import PROPOSED_SINGLE_CLUSTER\n"
        "from cosim.methods.aggregation.support_normalised import SupportNormalised\n"
        "class Mine(SupportNormalised):\n"
        '    name: Literal["mine"] = "mine"\n'
        "    def says(self, own, at):\n"
        "        return tuple(one for one in super().says(own, at) if one.name != 'M')\n"
        'METHOD = PROPOSED_SINGLE_CLUSTER.with_(name="mine", aggregation=Mine())\n',
        9,
        ("says of aggregation 'mine' returned", "expected a Mask 'M' of as many positions"),
    ),
    "says what hangs on values": (
        f"{HEAD}from cosim.methods.aggregation.mean import Mean\n"
        "class Mine(Mean):\n"
        '    name: Literal["mine"] = "mine"\n'
        "    def says(self, own, at):\n"
        "        return super().says(own, at) if own.adapter.values.sum().item() else ()\n"
        f"{LORA}",
        8,
        ("says of aggregation 'mine' reads values",),
    ),
}
ONLY_WHERE_DEVICES_ARE = {name for name in BAD if name.startswith(("mix", "says"))}


def one_sentence(ended: Ended, file: Path, line: int | None, words: tuple[str, ...]) -> None:
    """Code 2 and one line that names the file, the line and what is wrong."""
    assert ended.code == 2
    (told,) = ended.err.splitlines()
    place = str(file) if line is None else f"{file}:{line}: "
    assert told.startswith("cosim: ")
    assert place in told
    for word in words:
        assert word in told
    assert "Traceback" not in told


def listing(folder: Path) -> list[str]:
    """Every file and folder under one."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "check", "methods"])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_told_in_a_sentence_with_its_line(
    cosim: Command,
    scenario: Scenario,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    command: str,
) -> None:
    text, line, words = BAD[what]
    file = tmp_path / "bad.py"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    path = scenario("path:bad.py")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = listing(tmp_path)
    if command == "methods":
        arguments: tuple[object, ...] = ("methods", "--check", f"path:{file}")
    else:
        arguments = (command, path, *(("--out", "run") if command == "run" else ()))
    ended = cosim(*arguments)
    one_sentence(ended, file, line, words)
    assert listing(tmp_path) == before
    if command != "methods" and what not in ONLY_WHERE_DEVICES_ARE:
        assert f"{path}:3: method" in ended.err


@pytest.mark.parametrize("arguments", [("methods",), ("methods", "--check")])
def test_a_file_that_is_not_there(cosim: Command, tmp_path: Path, arguments: tuple[str]) -> None:
    one_sentence(
        cosim(*arguments, f"path:{tmp_path}/none.py"),
        tmp_path / "none.py",
        None,
        ("cannot be read: No such file or directory",),
    )
    one_sentence(cosim(*arguments, f"path:{tmp_path}"), tmp_path, None, ("is no file",))
    assert listing(tmp_path) == []


def test_a_name_that_is_none(cosim: Command) -> None:
    ended = cosim("methods", "--check", "lorra")
    assert ended.code == 2
    assert "'lorra' is not a method; did you mean 'lora'?" in ended.err
    ended = cosim("methods", "--check", "mine.py")
    assert (ended.code, "a file is named path:mine.py" in ended.err) == (2, True)
    ended = cosim("methods", "--check")
    assert (ended.code, "cosim methods --check path:my_method.py" in ended.err) == (2, True)


def test_a_part_that_fails_later_is_told_by_its_line_as_well(
    cosim: Command, scenario: Scenario, tmp_path: Path
) -> None:
    """When devices have been trained, there is a run: it says that it failed."""
    (tmp_path / "late.py").write_text(
        mixing("return own if at.turn.round < 2 else heard[99]"), encoding="utf-8"
    )
    ended = cosim("run", scenario("path:late.py"), "--out", "run", "--quiet")
    one_sentence(ended, tmp_path / "late.py", 8, ("IndexError",))
    assert '"status": "failed"' in (tmp_path / "run/manifest.json").read_text(encoding="utf-8")


def test_a_word_means_the_file_that_is_named_whatever_was_read_before(
    cosim: Command, scenario: Scenario, tmp_path: Path
) -> None:
    from cosim.scenario.load import dump, load

    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(
            HEAD
            + PART.format(base="Aggregation", word="mine", body="return own")
            + f'\n    def {name}(self):\n        return "{name}"\n\n'
            + LORA,
            encoding="utf-8",
        )
    chosen = {}
    for name in ("first", "second", "first"):
        chosen[name] = load(scenario(f"{{name: path:{name}.py, aggregation: mine}}")).method
        assert getattr(chosen[name].aggregation, name)() == name
    assert type(chosen["first"].aggregation) is not type(chosen["second"].aggregation)
    (tmp_path / "dumped.yaml").write_text(dump(load(scenario("path:first.py"))), encoding="utf-8")
    load(scenario("path:second.py"))
    assert load(tmp_path / "dumped.yaml").method.aggregation.first() == "first"  # type: ignore[attr-defined]
    ended = cosim("check", scenario("{name: lora, aggregation: mine}"))
    assert ended.code == 2
    assert "'mine' is not one of" in ended.err


def test_settings_of_a_part_from_outside_are_set_like_any_others(
    scenario: Scenario, tmp_path: Path
) -> None:
    import shutil

    from cosim.errors import ScenarioError
    from cosim.scenario.load import dump, load
    from tests.outside.conftest import HERE

    shutil.copy(HERE / "trimmed_mean.py", tmp_path)
    path = scenario("path:trimmed_mean.py")
    for override, trim in (
        ("method.aggregation=trimmed_mean", 1),
        ("method.aggregation={name: trimmed_mean, trim: 2}", 2),
        ("method.aggregation.trim=2", 2),
        ("method.topology=ring", 1),
        ("method.staleness_exponent=2", 1),
    ):
        chosen = load(path, [override])
        assert chosen.method.aggregation.model_dump() == {"name": "trimmed_mean", "trim": trim}
        (tmp_path / "dumped.yaml").write_text(dump(chosen), encoding="utf-8")
        again = load(tmp_path / "dumped.yaml")
        assert again == chosen
    for override, words in (
        ("method.aggregation={name: trimmed_mean, trim: -1}", "method.aggregation.trim: "),
        ("method.aggregation={name: trimmed_mean, trm: 1}", "did you mean 'trim'?"),
        ("method.aggregation.trm=1", "method.aggregation.trm: unknown key; did you mean 'trim'?"),
        ("method.aggregation=trimed_mean", "did you mean 'trimmed_mean'?"),
    ):
        with pytest.raises(ScenarioError) as refused:
            load(path, [override])
        assert words in str(refused.value)
