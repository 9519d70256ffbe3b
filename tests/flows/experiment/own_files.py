"""Experiment files of the tests."""

import re
import tomllib
from importlib.resources import files

import pytest

from flows.experiment.toml_file import SettingsError

DIGITS = (files("flows") / "experiments" / "digits.toml").read_text(encoding="utf-8")

ONE_LINE = re.compile(r"own\.toml(:[0-9]+)?: [^ ].*: expected .+, found .+; .+[.?]")

# Data, and nothing else.
SMALLEST = """
[datasets.mnist]
reader = "mnist"
embedded = "handwritten"

[datasets.svhn]
reader = "svhn"
embedded = "street"

[[sources]]
dataset = "svhn"
classes = "target"

[[sources]]
dataset = "mnist"
classes = ["0", "1"]

[target]
dataset = "mnist"
classes = ["5", "6"]
hyper_validation = 20
k = [2]
"""


def message(load, *arguments, **options):
    with pytest.raises(SettingsError) as caught:
        load(*arguments, **options)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


def line(text, document=DIGITS):
    """The line of the only place where a text stands."""
    assert document.count(text) == 1
    return document[: document.index(text)].count("\n") + 1


def place(row):
    """The key of a baseline."""
    names = [baseline["name"] for baseline in tomllib.loads(DIGITS)["baselines"]]
    return f"baselines[{names.index(row)}]"
