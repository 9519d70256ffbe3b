"""A project of one's own, small and valid: what tests break, one thing at a time."""

import pytest

from tests.flows.drafting.photos import photo

SETTINGS = """
[network]
settings = { widths = [4, 4, 4, 4], hidden = 8 }

[training]
steps = 2
validate_every = 1
batch_size = 4
learning_rates = [0.05]

[images]
side = 32

[ensemble]
enlarged_v = 1
"""
FILE = f"""\
[target]
labelled = "labelled"
unlabelled = "unlabelled"
test = "test"

[[sources]]
data = "web"
{SETTINGS}"""
FOLDERS = {
    "labelled/cat": 3,
    "labelled/dog": 3,
    "unlabelled": 4,
    "test/cat": 2,
    "test/dog": 2,
    "web/cat": 2,
    "web/dog": 2,
}


@pytest.fixture
def project(tmp_path):
    """Folder of the files, with `own.toml` in it."""
    root = tmp_path / "project"
    number = 0
    for folder, count in FOLDERS.items():
        for _ in range(count):
            number += 1
            photo(root / folder / f"{number}.png", seed=number)
    (root / "own.toml").write_text(FILE, encoding="utf-8")
    return root
