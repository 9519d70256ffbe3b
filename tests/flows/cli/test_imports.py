"""What help, errors and commands import, and how commands are declared."""

import ast
import shlex
import subprocess
import sys
from dataclasses import fields
from inspect import signature

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from deploy.cli import main
from flows.cli.lazy import LazyCommand, RunCommand
from flows.experiment.run_request import RunRequest

SLOW = (
    "torch",
    "prefect",
    "mlflow",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
    "pydantic",
    "numpy",
)

COMMANDS = sorted(main.commands)


INVOKE = """
import os, sys
from click.testing import CliRunner
from deploy.cli import main

def invoked(folder, words):
    os.chdir(folder)
    result = CliRunner().invoke(main, words)
    loaded = [name for name in {SLOW} if name in sys.modules]
    return result.exit_code, result.stdout, result.stderr, loaded

print([invoked(folder, words) for folder, words in {cases}])
"""
IMPORT = """
import importlib, sys

def loaded(name):
    importlib.import_module(f"flows.cli.commands.{{name}}")
    return [name for name in {SLOW} if name in sys.modules]

print({{name: loaded(name) for name in {names}}})
"""


def answer(code, modules=SLOW, **words):
    """What a fresh interpreter prints: what it has loaded after each case, the earlier included."""
    code = code.format(SLOW=modules, **words)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    return ast.literal_eval(done.stdout)


TYPING_ERRORS = [
    (["reproduce", "--scael", "demo"], "No such option '--scael'"),
    (["rerun", "digits"], "Missing option '--cell'"),
    (["reproduce", "digits", "--k", "two"], "'two' is not a valid integer"),
    (["plam", "digits"], "No such command 'plam'"),
    (["plan", "digit"], "did you mean digits?"),
    (["plan", "digits", "--scale", "dmeo"], 'found "dmeo"; did you mean demo?'),
    (["reproduce", "wrong.toml"], "wrong.toml:2: expected TOML"),
    (["rerun", "none.toml", "--cell", "beta=1,gamma=0"], "expected an experiment file, found"),
]
CHECKING = ("check", "plan", "run")
OWN = """\
name = 3
[target]
labelled = "labelled"
tset = "test"
[[sources]]
data = "web"
[training]
steps = -1
"""


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Exit code, output, errors and slow imports by command line, in the order of the tests."""
    folder = tmp_path_factory.mktemp("answered")
    (folder / "wrong.toml").write_text('name = "x"\nscale = \n')
    (folder / "own.toml").write_text(OWN)
    for place in ("labelled", "web"):
        (folder / place / "cat").mkdir(parents=True)
        (folder / place / "cat" / "1.png").touch()
    cases = [["--help"], *([name, "--help"] for name in COMMANDS)]
    cases += [words for words, _ in TYPING_ERRORS]
    cases += [[command, "own.toml"] for command in CHECKING]
    answers = answer(INVOKE, cases=[(str(folder), words) for words in cases])
    return {tuple(words): given for words, given in zip(cases, answers, strict=True)}


def test_help_imports_nothing_slow(answered):
    assert answered[COMMANDS[-1], "--help"][-1] == []


def test_help_names_every_command_and_ends_with_an_example(answered):
    general = answered["--help",][1]
    assert all(f"  {name} " in general for name in ("reproduce", "plan", "report"))
    for name in COMMANDS:
        last = answered[name, "--help"][1].strip().splitlines()[-1].strip()
        assert last.startswith(f"Example: gradmix {name} "), name
        words = shlex.split(last.removeprefix("Example: gradmix "))
        command = main.commands[words[0]]
        # The example's options exist and take what it gives them.
        command.make_context(words[0], words[1:])


def test_every_option_is_explained():
    for command in main.commands.values():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help or parameter.is_eager, parameter.name


@pytest.mark.parametrize(("words", "error"), TYPING_ERRORS)
def test_a_typing_error_imports_nothing_slow(answered, words, error):
    exit_code, _, line, imported = answered[tuple(words)]
    assert (exit_code, imported, line.count("\n")) == (2, [], 1)
    assert error in line


@pytest.mark.parametrize("command", CHECKING)
def test_a_wrong_key_or_value_is_found_before_torch_is_imported(answered, command):
    exit_code, _, lines, imported = answered[command, "own.toml"]
    assert exit_code == 2
    assert set(imported) <= {"pydantic", "numpy"}
    assert "own.toml:4: target.tset: " in lines
    assert "own.toml:8: training.steps: " in lines


NAMED = """\
[target]
labelled = "labelled"
unlabelled = "web"
[[sources]]
data = "web"
[network]
trunk = "convnet"
settings = {widths = [4, 4, 4, 4], hiden = 3}
[[baselines]]
name = "J"
method = "joint"
settings = {beta = 3}
[first_stage]
settings = {solver = "exacct"}
"""
FEW = """\
[target]
labelled = "few"
unlabelled = "web"
hyper_validation = 90
[[sources]]
data = "web"
"""
HEAVY = ("torch", "prefect", "mlflow", "pandas", "pyarrow", "matplotlib", "av", "jinja2")


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """Exit code, output, errors and heavy imports of commands that start no training."""
    folder = tmp_path_factory.mktemp("light")
    home, seed = folder / "home", iter(range(99))
    (folder / "named.toml").write_text(NAMED)
    (folder / "few.toml").write_text(FEW)
    for place, count in (("labelled", 1), ("web", 4), ("few", 3)):
        for name in ("cat", "dog"):
            (folder / place / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.random.default_rng(next(seed)).integers(0, 256, (40, 40, 3), np.uint8)
                Image.fromarray(pixels).save(folder / place / name / f"{number}.png")
    cases = {
        "plan": ["plan", "digits", "--scale", "demo", "--home", str(home)],
        "settings": ["check", "named.toml"],
        "data": ["check", "few.toml"],
    }
    found = {}
    for name, words in cases.items():
        (found[name],) = answer(INVOKE, modules=HEAVY, cases=[(str(folder), words)])
    return found


def test_a_plan_loads_neither_torch_nor_tables_nor_pages(light):
    exit_code, out, error, loaded = light["plan"]
    assert (exit_code, loaded) == (0, []), error
    assert out.splitlines()[-1].endswith("trainings will run.")


def test_wrong_settings_of_a_trunk_and_a_method_are_found_without_torch(light):
    exit_code, _, lines, loaded = light["settings"]
    assert (exit_code, loaded) == (2, [])
    assert "named.toml:8: network.settings.hiden: " in lines
    assert "named.toml:12: baselines[0].settings.beta: " in lines
    assert "named.toml:14: first_stage.settings.solver: " in lines


def test_problems_of_the_data_are_found_without_torch(light):
    exit_code, _, lines, loaded = light["data"]
    assert (exit_code, loaded) == (2, [])
    assert "few.toml:4: target.hyper_validation: " in lines


# Each command leaves out at least what the next one does: they share an interpreter.
WITHOUT_TORCH = {
    "status": SLOW,
    "cancel": SLOW,
    "plan": ("torch", "prefect", "mlflow", "pandas", "pyarrow", "scipy", "matplotlib"),
    "reproduce": ("torch", "prefect", "mlflow", "pandas", "pyarrow", "scipy", "matplotlib"),
    "check": ("torch", "prefect", "mlflow", "pandas", "pyarrow", "scipy", "matplotlib"),
    "extract": ("torch", "prefect", "mlflow", "pandas", "scipy"),
    "lineage": ("torch", "prefect", "mlflow", "pandas"),
    "report": ("torch", "prefect", "mlflow", "pandas"),
}
WITH_TORCH = {"predict": ("prefect", "mlflow", "pandas", "scipy", "matplotlib")}


@pytest.fixture(scope="module")
def imported():
    """Slow imports by command."""
    return answer(IMPORT, names=list(WITHOUT_TORCH)) | answer(IMPORT, names=list(WITH_TORCH))


@pytest.mark.parametrize(("name", "unused"), (WITHOUT_TORCH | WITH_TORCH).items())
def test_a_command_imports_no_more_than_it_needs(imported, name, unused):
    assert set(imported[name]).isdisjoint(unused)


@pytest.mark.slow  # ten CPU-seconds of imports
def test_a_run_loads_no_torch_until_its_stages_have_ended():
    """MLflow, Prefect and the stages must not load it either; a job's process does."""
    code = """
import sys
from tasks.execution.prefect_settings import load_prefect
load_prefect()
import flows.cli.flow_run
from tasks.tracking.mlflow_store import load_mlflow
load_mlflow()
print([name for name in {SLOW} if name in sys.modules])
"""
    loaded = answer(code)
    assert {"prefect", "mlflow"} <= set(loaded)
    assert {"torch", "matplotlib"}.isdisjoint(loaded)


def test_the_environment_is_set_before_a_command_that_needs_it_is_imported(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr("flows.cli.lazy.configure", done.append)
    monkeypatch.setattr("flows.cli.lazy.load_prefect", lambda: done.append("prefect"))
    monkeypatch.setattr(
        LazyCommand, "load", lambda self: (done.append(self.name), lambda **_: None)[1]
    )
    for words in (["lineage", "x"], ["cancel"], ["status"]):
        CliRunner().invoke(main, [*words, "--home", str(tmp_path)])
    assert done == [tmp_path, "lineage", tmp_path, "prefect", "cancel", "status"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_gives_its_function_what_it_takes(name):
    command = main.commands[name]
    given = {parameter.name for parameter in command.params}
    if isinstance(command, RunCommand):
        given = given - {field.name for field in fields(RunRequest)} | {"request"}
    assert set(signature(command.load()).parameters) == given
