"""A dozen random kills around a tiny reproduction; `make chaos` makes a hundred."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).with_name("chaos")
KINDS = ("command", "template", "server", "copied")


@pytest.mark.slow
@pytest.mark.flow
def test_random_kills_leave_nothing_and_lose_nothing(tmp_path):
    words = ["--moments", "6", "--seed", "1", "--out", str(tmp_path), "--kinds", *KINDS]
    done = subprocess.run(
        [sys.executable, "-P", str(CHAOS), *words],
        env={name: value for name, value in os.environ.items() if not name.startswith("GRADMIX_")},
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    trials = json.loads((tmp_path / "trials.json").read_text())
    assert {trial["kind"] for trial in trials} == set(KINDS)
    assert sum(trial["kills"] for trial in trials) >= 6
