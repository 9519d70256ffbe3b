"""What help, errors and commands import, and how commands are declared."""

import ast
import shlex
import subprocess
import sys
from dataclasses import fields
from inspect import signature

import pytest
from click.testing import CliRunner

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


def python(code):
    """What a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True, timeout=120
    ).stdout


@pytest.fixture(scope="module")
def helped():
    """Help of the program and of every command, and what was imported for it."""
    code = f"""
import sys
from click.testing import CliRunner
from deploy.cli import main
texts = {{n: CliRunner().invoke(main, [*n.split(), "--help"]).output for n in {["", *COMMANDS]}}}
print((texts, [name for name in {SLOW} if name in sys.modules]))
"""
    return ast.literal_eval(python(code))


def test_help_imports_nothing_slow(helped):
    assert helped[1] == []


def test_help_names_every_command_and_ends_with_an_example(helped):
    texts, _ = helped
    assert all(f"  {name} " in texts[""] for name in ("reproduce", "plan", "report"))
    for name in COMMANDS:
        last = texts[name].strip().splitlines()[-1].strip()
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


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["reproduce", "--scael", "demo"], "No such option '--scael'"),
        (["rerun", "digits"], "Missing option '--cell'"),
        (["reproduce", "digits", "--k", "two"], "'two' is not a valid integer"),
        (["plam", "digits"], "No such command 'plam'"),
        (["plan", "digit"], "did you mean digits?"),
        (["plan", "digits", "--scale", "dmeo"], 'found "dmeo"; did you mean demo?'),
        (["reproduce", "wrong.toml"], "wrong.toml:2: expected TOML"),
        (["rerun", "none.toml", "--cell", "beta=1,gamma=0"], "expected an experiment file, found"),
    ],
)
def test_a_typing_error_imports_nothing_slow(tmp_path, words, error):
    (tmp_path / "wrong.toml").write_text('name = "x"\nscale = \n')
    code = f"""
import os, sys
from click.testing import CliRunner
from deploy.cli import main
os.chdir({str(tmp_path)!r})
result = CliRunner().invoke(main, {words})
print((result.exit_code, result.stderr, [name for name in {SLOW} if name in sys.modules]))
"""
    exit_code, line, imported = ast.literal_eval(python(code))
    assert (exit_code, imported, line.count("\n")) == (2, [], 1)
    assert error in line


@pytest.mark.parametrize("command", ["check", "plan", "run"])
def test_a_wrong_key_or_value_is_found_before_torch_is_imported(tmp_path, command):
    folders = [tmp_path / place / "cat" for place in ("labelled", "web")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "1.png").touch()
    (tmp_path / "own.toml").write_text(
        'name = 3\n[target]\nlabelled = "labelled"\ntset = "test"\n[[sources]]\ndata = "web"\n'
        "[training]\nsteps = -1\n"
    )
    unused = tuple(name for name in SLOW if name not in {"pydantic", "numpy"})
    code = f"""
import os, sys
from click.testing import CliRunner
from deploy.cli import main
os.chdir({str(tmp_path)!r})
result = CliRunner().invoke(main, [{command!r}, "own.toml"])
print((result.exit_code, result.stderr, [name for name in {unused} if name in sys.modules]))
"""
    exit_code, lines, imported = ast.literal_eval(python(code))
    assert (exit_code, imported) == (2, [])
    assert "own.toml:4: target.tset: " in lines
    assert "own.toml:8: training.steps: " in lines


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("plan", ("prefect", "mlflow", "pandas", "scipy", "matplotlib")),
        ("reproduce", ("prefect", "mlflow", "pandas", "scipy", "matplotlib")),
        ("report", ("torch", "prefect", "mlflow", "pandas")),
        ("lineage", ("torch", "prefect", "mlflow", "pandas")),
        ("extract", ("torch", "prefect", "mlflow", "pandas", "scipy")),
        ("predict", ("prefect", "mlflow", "pandas", "scipy", "matplotlib")),
        ("status", SLOW),
        ("cancel", SLOW),
    ],
)
def test_a_command_imports_no_more_than_it_needs(name, unused):
    code = f"""
import sys
import flows.cli.commands.{name}
print([name for name in {unused} if name in sys.modules])
"""
    assert python(code).strip() == "[]"


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
