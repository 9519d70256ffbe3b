"""Hostile environments and paths: a command works, or says in one line what is wrong."""

import json
import os
import subprocess
import sys

import pytest

from tests.flows.hostile import NAMES, environments, is_fair

# In one process, forked for each: the imports of a command cost seconds.
SERIES = """
import json, os, sys
import gradmix_launcher
gradmix_launcher.claim_packages()
import flows.cli.plan, flows.cli.status, flows.cli.lazy, deploy.cli
from tasks.execution.prefect_settings import load_prefect
for line in sys.stdin:
    case = json.loads(line)
    child = os.fork()
    if child == 0:
        os.environ.update(case["environment"])
        with open(case["log"], "w") as log:
            os.dup2(log.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.argv = ["gradmix", *case["words"]]
        try:
            code = gradmix_launcher.main()
        except SystemExit as error:
            code = error.code
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Series:
    """Commands, each in a fork of one process that has imported what they need."""

    def __init__(self, folder):
        hidden = ("PREFECT_", "MLFLOW_", "GRADMIX_")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        self.log = folder / "err.txt"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", SERIES],
            cwd=folder,
            env=clean,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words, environment):
        case = {"words": words, "environment": environment, "log": str(self.log)}
        self.process.stdin.write(f"{json.dumps(case)}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()), self.log.read_text(errors="replace")


@pytest.fixture
def series(tmp_path):
    made = Series(tmp_path)
    yield made
    made.process.stdin.close()
    made.process.wait(60)
    made.process.stdout.close()


def unfair(series, folder, number):
    found = []
    for environment in environments(number, seed=0):
        code, err = series.run(["plan", "digits", "--home", "home"], environment)
        if not is_fair(code, "", err):
            found.append((environment, code, err[-400:]))
    assert not (folder / "hacked").exists()
    return found


def test_a_few_hostile_variables(series, tmp_path):
    assert unfair(series, tmp_path, 12) == []


@pytest.mark.slow
def test_hostile_variables(series, tmp_path):
    assert unfair(series, tmp_path, 400) == []


@pytest.mark.slow
def test_hostile_names_of_home_folders(series, tmp_path):
    found = []
    for name in NAMES:
        home = tmp_path / "homes" / name
        for words in (["plan", "digits", "--home", str(home)], ["status", f"--home={home}"]):
            code, err = series.run(words, {})
            if not is_fair(code, "", err):
                found.append((name, words[0], code, err[-400:]))

    assert found == []
    assert not (tmp_path / "homes").exists(), "a plan writes nothing"
