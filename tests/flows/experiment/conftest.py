"""Shared by the tests of experiment files: a file of one's own."""

import pytest

from flows.experiment.experiment_file import load_experiment
from tests.flows.experiment.own_files import DIGITS


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Loads the digits file with a part of it replaced."""
    monkeypatch.chdir(tmp_path)

    def load(old, new, scale="paper", options=None):
        assert old in DIGITS
        (tmp_path / "own.toml").write_text(DIGITS.replace(old, new, 1), encoding="utf-8")
        return load_experiment("own.toml", scale, options)

    return load
