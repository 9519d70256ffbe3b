"""Faults in a small reproduction on a fleet; `python -P tests/deploy/chaos` does more of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CELLS = HERE / "chaos" / "cells.toml"
SMALLER = {
    "beta = [5, 10, 15, 20, 25, 30]": "beta = [5, 10, 15]",
    "gamma = [-0.2, 0.0, 0.2, 0.4, 0.6, 0.8]": "gamma = [0.0, 0.3, 0.6]",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [["--faults", "worker", "template", "job", "driver"], ["--kills", "8"]],
    ids=["faults", "kills"],
)
def test_faults_lose_nothing_and_have_nothing_done_twice(tmp_path, what):
    text = CELLS.read_text(encoding="utf-8")
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    experiment = tmp_path / "cells.toml"
    experiment.write_text(text, encoding="utf-8")
    words = ["--experiment", str(experiment), "--scale", "cells", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-P", str(HERE / "chaos"), *words, *what],
        env={name: value for name, value in os.environ.items() if name != "GRADMIX_HOME"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    assert "LEFT BEHIND" not in done.stderr
