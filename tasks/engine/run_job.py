"""Run a job of a stage in a process of its own, here or on a worker."""

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
    decodes: bool = False,
) -> Outcome:
    """Run a job of `tasks.jobs` and wait for its outcome.

    Args:
        place: where the stage works; files go to its output folder.
        name: of the job.
        job: its inputs.
        on_rows: gets new figures while it runs.
        steps: that it counts while it runs.
        decodes: whether it decodes photos or clips: that needs no GPU, and runs beside the data.

    Raises:
        StageError: if the process ends with an error.
    """
    runtime = place.runtime
    write_job(place.folder, job, runtime.home)
    runner = runtime.decode if decodes else runtime.train
    follower = place.follower(steps=steps, on_rows=on_rows)
    try:
        runner.run(name, place.folder, follower)
    except ChildFailedError as error:
        raise StageError(f"{place.request.label}: {error}") from error
    finally:
        # A training that failed has its curve up to there.
        follower.pass_on()
    return read_outcome(place.folder)
