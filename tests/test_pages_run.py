"""Every command and snippet on the pages is run, or says why not."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from deploy.cli import main
from flows.experiment.experiment_file import load_experiment
from flows.experiment.settings import Experiment
from tests.pages import BLOCKS, ROOT, Block

SHELLS = ("bash", "console", "sh")
RUN_SLOWLY = sorted(
    {block.page for block in BLOCKS if (block.what, block.words) == ("run", "slow")}
)
# `make examples` and tests/examples run these, each with the library that it is for.
OF_LIBRARIES = "docs/mixer/"
PYTHON = [b for b in BLOCKS if b.language == "python" and not b.what]


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in SHELLS], ids=str)
def test_commands_are_run_or_say_why_not(block: Block) -> None:
    assert block.what in ("run", "not run"), f"{block}: a comment above it has to say how it is run"
    assert len(block.words) > 3


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_snippets_run(block: Block, tmp_path, monkeypatch) -> None:
    if block.page.startswith(OF_LIBRARIES):
        pytest.skip("run by tests/examples")
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(block.code, str(block), "exec"), {"__name__": "snippet"})  # noqa: S102 - our own


@pytest.mark.parametrize("block", [b for b in BLOCKS if "gradmix " in b.code], ids=str)
def test_commands_are_understood(block: Block) -> None:
    """Options and arguments are parsed; nothing is run."""
    prompt = r"^(?:[a-z]*\$ ?|[ ]*)(gradmix [a-z]+(?: [^\n|&;#]*)?)"
    for line in re.findall(prompt, block.code.replace("\\\n", " "), re.MULTILINE):
        if block.language in ("python", "toml", "yaml"):
            continue
        if re.search(r"\$\(|\.\.\.|^gradmix [a-z]+ \[", line):
            continue
        words = shlex.split(re.sub(r"  .*", "", line).strip())
        main.commands[words[1]].make_context(words[1], words[2:])


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "toml"], ids=str)
def test_tables_of_settings_are_those_of_an_experiment_file(block: Block, tmp_path: Path) -> None:
    if block.what == "not run":
        pytest.skip(block.words)
    if "[target]" in block.code:
        for place in folders_of(tomllib.loads(block.code)):
            (tmp_path / place / "cup").mkdir(parents=True)
            (tmp_path / place / "cup" / "named.png").touch()
        (tmp_path / "own.toml").write_text(block.code, encoding="utf-8")
        load_experiment(str(tmp_path / "own.toml"))
        return
    for key, value in tomllib.loads(block.code).items():
        model = model_of(key)
        tables = value if isinstance(value, list) else [value]
        for table in tables:
            for each in table.values() if key == "datasets" else [table]:
                model.model_validate(each)


def folders_of(values: dict[str, Any]) -> list[str]:
    """Folders of one's own files that an experiment file names."""
    target = values["target"]
    unlabelled = target.get("unlabelled", [])
    listed = unlabelled if isinstance(unlabelled, list) else [unlabelled]
    sources = [source["data"] for source in values["sources"] if "data" in source]
    return [*(target[key] for key in ("labelled", "test") if key in target), *listed, *sources]


def model_of(key: str) -> type[BaseModel]:
    """The type of a table of an experiment file."""
    hint = Experiment.model_fields[key].annotation
    (model,) = (
        part
        for part in (hint, *get_args(hint))
        if isinstance(part, type) and issubclass(part, BaseModel)
    )
    return model


@pytest.mark.slow
@pytest.mark.flow
@pytest.mark.parametrize("page", RUN_SLOWLY)
def test_a_page_runs_from_top_to_bottom(page: str, tmp_path: Path) -> None:
    """Its files are written and its blocks run in one folder, as a reader would."""
    for block in (b for b in BLOCKS if b.page == page):
        if block.what == "file":
            (tmp_path / block.words).write_text(block.code, encoding="utf-8")
        elif block.what == "run" and block.language == "python":
            run([sys.executable, "-P", "-c", block.code], tmp_path)
        elif block.what == "run":
            for command in block.commands:
                run(["bash", "-euc", command], tmp_path)


def run(command: list[str], folder: Path) -> None:
    """Run a command as a reader with an activated environment and a new home would."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GRADMIX_HOME": str(folder / "runs"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def test_every_make_target_that_pages_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    pages = {block.page for block in BLOCKS} | {"CONTRIBUTING.md"}
    named = {
        name
        for page in pages
        for name in re.findall(r"(?:`|\$ )make ([a-z]+)", (ROOT / page).read_text(encoding="utf-8"))
    }
    assert named <= targets
