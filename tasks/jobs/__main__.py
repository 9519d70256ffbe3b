"""Entry point of a job's process: `python -m tasks.jobs JOB FOLDER HOME`.

The job reads its inputs from FOLDER/job.json, and writes its outcome to FOLDER/outcome.json
(`tasks.jobs.files`) and files to FOLDER/output. On failure it ends with a line that says what
happened and an exit code that says whether a retry may help.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from data.errors import DataError
from tasks.errors import StageError
from tasks.jobs.files import read_job, write_outcome
from tasks.outcome import Outcome

Job = Callable[[Any, Path], Outcome]

REJECTED = 2
"""Exit code: the inputs are wrong, so the job would fail on any machine."""
RETRYABLE = 3
"""Exit code: this machine's disk or network failed."""


def main(arguments: list[str]) -> int:
    """Run one job; returns the exit code."""
    name, folder, home = arguments[0], Path(arguments[1]), Path(arguments[2])
    try:
        run = job_named(name)
        write_outcome(folder, run(read_job(inputs_class(run), folder, home), folder))
    except (DataError, StageError, FloatingPointError) as error:
        return _ended(error, REJECTED)
    except OSError as error:
        return _ended(error, RETRYABLE)
    return 0


def job_named(name: str) -> Job:
    """`run` of the module `tasks.jobs.<name>`; no other job is imported, as torch takes seconds."""
    run: Job = import_module(f"tasks.jobs.{name}").run
    return run


def inputs_class(run: Job) -> type[Any]:
    """Class of a job's inputs, from the signature of its `run(job, folder)`."""
    kind: type[Any] = get_type_hints(run)["job"]
    return kind


def _ended(error: Exception, code: int) -> int:
    # The log may be on a full disk.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
    return code


if __name__ == "__main__":
    # The interpreter's own clean-up takes up to a second with torch loaded, for nothing.
    code = main(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)
