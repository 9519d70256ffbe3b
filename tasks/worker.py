"""Entry point of a slot process: `python -m tasks.worker JOB FOLDER`.

The job's JSON is FOLDER/job.json, its outcome FOLDER/outcome.json; files go to FOLDER/output. A
failure ends with one line that says what happened, and exit code 2.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from data.errors import DataError
from tasks.errors import StageError
from tasks.home import write_atomically

Job = Callable[[dict[str, Any], Path], dict[str, Any]]

FAILED = 2


def main(arguments: list[str]) -> int:
    """Run one job; returns the exit code."""
    name, folder = arguments[0], Path(arguments[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    try:
        outcome = job_named(name)(job, folder)
        write_atomically(folder / "outcome.json", json.dumps(outcome) + "\n")
    except (DataError, StageError, FloatingPointError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


def job_named(name: str) -> Job:
    """`run` of the module `tasks.<name>_job`, which alone is imported: torch costs seconds."""
    job: Job = import_module(f"tasks.{name}_job").run
    return job


if __name__ == "__main__":
    # The interpreter's own clean-up costs up to a second with torch loaded, and frees nothing.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
