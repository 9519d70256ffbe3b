"""Hostile environments and paths: a command works, or says in one line what is wrong.

`GRADMIX_ENVIRONMENTS` of them in the slow tests, a few in the default ones.
"""

import os

import pytest

from tests.flows.hostile import NAMES, Series, environments, is_fair

FEW, MANY = 6, int(os.environ.get("GRADMIX_ENVIRONMENTS", "400"))


@pytest.fixture
def series(tmp_path):
    made = Series(tmp_path)
    yield made
    made.end()


def unfair(series, folder, number):
    found = []
    for environment in environments(number, seed=0):
        code, err = series.run(["plan", "digits", "--home", "home"], environment)
        if not is_fair(code, "", err):
            found.append((environment, code, err[-400:]))
    assert not (folder / "hacked").exists()
    return found


def test_a_few_hostile_variables(series, tmp_path):
    assert unfair(series, tmp_path, FEW) == []


@pytest.mark.slow
def test_hostile_variables(series, tmp_path):
    assert unfair(series, tmp_path, MANY) == []


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
