"""Entry point of a slot process: `python -m tasks.jobs JOB FOLDER HOME`.

The job's settings are FOLDER/job.json (`tasks.jobs.files`), its outcome FOLDER/outcome.json; files
go to FOLDER/output. A failure ends with one line that says what happened, and an exit code that
says whether another try may help.
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
from tasks.jobs.files import read_job
from tasks.storage.home import write_atomically

Job = Callable[[dict[str, Any], Path], dict[str, Any]]

OUTCOME = "outcome.json"
REFUSED = 2
"""Exit code: what the job was given is wrong, here as on any other machine."""
UNLUCKY = 3
"""Exit code: this machine's disk or network failed."""


def main(arguments: list[str]) -> int:
    """Run one job; returns the exit code."""
    name, folder, home = arguments[0], Path(arguments[1]), Path(arguments[2])
    try:
        outcome = job_named(name)(read_job(folder, home), folder)
        write_atomically(folder / OUTCOME, json.dumps(outcome) + "\n")
    except (DataError, StageError, FloatingPointError) as error:
        return _ended(error, REFUSED)
    except OSError as error:
        return _ended(error, UNLUCKY)
    return 0


def job_named(name: str) -> Job:
    """`run` of the module `tasks.jobs.<name>`, which alone is imported: torch costs seconds."""
    job: Job = import_module(f"tasks.jobs.{name}").run
    return job


def _ended(error: Exception, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    # The interpreter's own clean-up costs up to a second with torch loaded, and frees nothing.
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
