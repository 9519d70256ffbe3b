"""Run a stage's job in its own process, locally or on a worker."""

from tasks.engine.stage import Workplace
from tasks.errors import StageError
from tasks.execution.processes import ChildFailedError
from tasks.execution.progress import OnRows
from tasks.jobs.files import read_outcome, write_job
from tasks.outcome import Outcome


def run_job(
    place: Workplace,
    name: str,
    job: object,
    on_rows: OnRows = lambda _: None,
    *,
    steps: int = 0,
    on_cores: bool = False,
) -> Outcome:
    """Run a job of `tasks.jobs` and wait for its outcome.

    Args:
        place: workplace of the stage; files go to its output folder.
        name: name of the job.
        job: inputs of the job.
        on_rows: called with new figures while the job runs.
        steps: number of steps the job counts.
        on_cores: run it on this machine's cores, near the data: it needs no GPU.

    Raises:
        StageError: if the process fails.
    """
    runtime = place.runtime
    write_job(place.folder, job, runtime.home)
    runner = runtime.cores if on_cores else runtime.train
    follower = place.follower(steps=steps, on_rows=on_rows)
    try:
        runner.run(name, place.folder, follower)
    except ChildFailedError as error:
        raise StageError(f"{place.request.label}: {error}") from error
    finally:
        # Keep the curve of a failed training.
        follower.pass_on()
    return read_outcome(place.folder)
