"""Entry point of a slot process: `python -m tasks.worker JOB FOLDER`.

The job's JSON is FOLDER/job.json, its outcome FOLDER/outcome.json; files go to FOLDER/output. A
failure ends with one line that says what happened, and exit code 2.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.errors import DataError
from tasks import evaluate_job, label_job, rho_study_job, selection_study_job, train_job
from tasks.errors import StageError
from tasks.home import write_atomically

JOBS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {
    "rho_study": rho_study_job.run,
    "train": train_job.run,
    "selection_study": selection_study_job.run,
    "label": label_job.run,
    "evaluate": evaluate_job.run,
}

FAILED = 2


def main(arguments: list[str]) -> int:
    """Run one job; returns the exit code."""
    name, folder = arguments[0], Path(arguments[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    try:
        outcome = JOBS[name](job, folder)
        write_atomically(folder / "outcome.json", json.dumps(outcome) + "\n")
    except (DataError, StageError, FloatingPointError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


if __name__ == "__main__":
    # The interpreter's own clean-up costs up to a second with torch loaded, and frees nothing.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
