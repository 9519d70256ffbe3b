"""The flow that a worker runs, without Prefect's engine and with the job's process replaced."""

import json
import subprocess
import sys
from contextvars import Context
from pathlib import Path
from types import SimpleNamespace

import pytest
from prefect.states import Cancelled, Crashed

from data.fingerprint import sha256_bytes
from flows import job as job_module
from flows.job import PLACE, EndedEarlyError, Place, job
from tasks.errors import StageError
from tasks.execution import attempts as attempt_module
from tasks.execution.attempts import ENDED, HEARTBEAT, Attempt, BusyError, Ended
from tasks.execution.processes import ChildFailedError
from tasks.execution.slots import Slot
from tasks.jobs.__main__ import REJECTED, RETRYABLE
from tasks.storage.home import HomeError, open_home

WORK = "work/train/3f2a9c01"
SETTINGS = b'{"trunk": "convnet"}'
DIGEST = sha256_bytes(SETTINGS)


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = open_home(tmp_path / "home")
    monkeypatch.setenv("GRADMIX_HOME", str(home))
    monkeypatch.delenv("GRADMIX_STORAGE", raising=False)
    return home


@pytest.fixture
def attempt(home):
    """An attempt that is wanted; its folder has a job and what an attempt before has left."""
    folder = home / WORK
    (folder / "output").mkdir(parents=True)
    (folder / "output" / "half a model.pt").touch()
    (folder / "checkpoint.pt").touch()
    (folder / "job.json").write_bytes(SETTINGS)
    return Attempt.begin(folder)


@pytest.fixture
def lines(monkeypatch):
    """What goes to Prefect's log."""
    lines = []
    monkeypatch.setattr(job_module, "get_run_logger", lambda: SimpleNamespace(info=lines.append))
    return lines


@pytest.fixture(autouse=True)
def place():
    """Sets where jobs run; a core at first."""

    def set_place(**fields):
        PLACE.set(Place(**{"slot": Slot("host-a cpu:0"), **fields}))

    before = PLACE.set(Place(slot=Slot("host-a cpu:0")))
    yield set_place
    PLACE.reset(before)


@pytest.fixture
def run(monkeypatch, lines, attempt):
    """Run the flow with a function in place of the job's process: its state and its last words."""

    def call(process, key=None):
        monkeypatch.setattr(attempt_module, "run_in_slot", process)
        state = job.fn("train", WORK, "k=3 draw=0", key or attempt.key, DIGEST)
        return state, attempt.ended()

    return call


def succeed(command, slot, *, log, cwd, poll, launch):
    (log.parent / "output" / "model.pt").touch()
    (log.parent / "outcome.json").write_text("{}")
    poll()


def fail(code):
    def process(*_, log, **__):
        raise ChildFailedError(code, "the cause", log)

    return process


def must_not_run(*_, **__):
    pytest.fail("it ran")


def test_a_finished_job_leaves_its_outcome_and_its_word(run, home):
    state, ended = run(succeed)
    assert state.is_completed()
    assert ended == Ended(ended.key)
    folder = home / WORK
    # The checkpoint is there to go on from; half a result of an attempt before is not.
    assert [path.name for path in (folder / "output").iterdir()] == ["model.pt"]
    assert (folder / "checkpoint.pt").exists()
    assert json.loads((folder / HEARTBEAT).read_text())["key"] == ended.key


@pytest.mark.parametrize("code", [1, 2, 3, -9])
def test_a_failed_job_fails_the_flow_run_and_says_how(run, code):
    state, ended = run(fail(code))
    assert state.is_failed()
    assert ended.exit_code == code
    assert state.message == ended.message
    assert ended.message.startswith("the cause [")


def test_a_disk_that_fails_is_no_refusal(run, home):
    output = home / WORK / "output"
    (output / "half a model.pt").unlink()
    output.rmdir()
    output.touch()
    state, ended = run(must_not_run)
    assert state.is_failed()
    assert ended.exit_code == RETRYABLE
    assert "File exists" in ended.message


@pytest.mark.parametrize("newer", [True, False])
def test_a_job_that_nobody_wants_any_more_is_cancelled_before_it_touches_anything(
    run, home, attempt, newer
):
    if newer:
        Attempt.begin(home / WORK)
    else:
        attempt.retire()
    before = sorted(home.rglob("*"))
    state, ended = run(must_not_run)
    assert state.is_cancelled()
    assert ended is None
    assert sorted(home.rglob("*")) == before


def test_a_job_that_is_taken_over_on_the_way_is_cancelled_without_a_word(run, home):
    def taken_over(*_, poll, **__):
        Attempt.begin(home / WORK)
        poll()
        pytest.fail("it went on")

    state, _ = run(taken_over)
    assert state.is_cancelled()
    assert not (home / WORK / ENDED).exists()


def test_what_a_training_says_goes_to_the_log_once_and_in_whole_lines(run, home, lines):
    progress = home / WORK / "progress.jsonl"

    def train(*_, log, poll, **__):
        poll()
        progress.write_text('{"step": 10}\n{"step"')
        poll()
        poll()
        progress.write_text('{"step": 10}\n{"step": 20}\n')
        poll()
        (log.parent / "outcome.json").write_text("{}")

    run(train)
    assert lines == ['{"step": 10}', '{"step": 20}']


def test_slot_and_launch_are_those_of_the_place(run, place):
    def launch(*_):
        pytest.fail("it was called here")

    place(slot=Slot("host-b cuda:1", "GPU-bb"), launch=launch)
    seen = []
    run(lambda _, slot, *, launch, **__: seen.append((slot, launch)))
    assert seen == [(Slot("host-b cuda:1", "GPU-bb"), launch)]


@pytest.mark.parametrize("end", [Cancelled(message="by a person"), Crashed(message="host stopped")])
def test_a_job_that_is_ended_early_has_that_state_and_no_outcome(run, place, home, end):
    def check():
        raise EndedEarlyError(end)

    place(check=check)

    def train(*_, poll, **__):
        poll()
        pytest.fail("it went on")

    state, ended = run(train)
    assert state == end
    assert ended is None


def test_a_worker_that_gives_no_slot_is_one_line(attempt, lines):
    def elsewhere():
        job.fn("train", WORK, "a label", attempt.key, DIGEST)

    with pytest.raises(StageError, match=r"^expected a slot [^\n]*gradmix up --join[^\n]*$"):
        Context().run(elsewhere)
    assert attempt.heartbeat() is None


@pytest.mark.parametrize(
    "work",
    [
        "../elsewhere/train/3f2a9c01",
        "artifacts/train/3f2a9c01",
        "work/../artifacts/train/3f2a9c01",
        "work/train/../../artifacts/x",
        "",
        # All jobs of a stage, and all jobs.
        "work/train",
        "work",
        "work/train/3f2a9c01/output",
    ],
)
def test_a_folder_that_is_no_jobs_is_refused_and_left_alone(home, attempt, lines, work):
    folder = home / work
    if not folder.exists():
        folder.mkdir(parents=True)
    own = Attempt.begin(folder)
    (folder / "output").mkdir(exist_ok=True)
    (folder / "output" / "precious").touch()
    try:
        with pytest.raises(HomeError, match=r"expected a job's folder under .*work, found"):
            job.fn("train", work, "a label", own.key, DIGEST)
        assert (folder / "output" / "precious").exists()
    finally:
        own.retire()


def test_an_absolute_path_is_refused(attempt, lines, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "train" / "3f2a9c01"
    elsewhere.mkdir(parents=True)
    own = Attempt.begin(elsewhere)
    with pytest.raises(HomeError, match="elsewhere"):
        job.fn("train", str(elsewhere), "a label", own.key, DIGEST)


def test_a_link_out_of_the_work_folder_is_refused(home, attempt, lines, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (home / "work" / "train" / "link").symlink_to(tmp_path / "elsewhere")
    own = Attempt.begin(tmp_path / "elsewhere")
    with pytest.raises(HomeError, match="found 'work/train/link'"):
        job.fn("train", "work/train/link", "a label", own.key, DIGEST)


def test_a_home_that_is_a_link_is_as_good_as_any(run, home, attempt, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setenv("GRADMIX_HOME", str(tmp_path / "link"))
    state, _ = run(succeed)
    assert state.is_completed()


@pytest.mark.parametrize("named", [None, "", "thesis"])
def test_a_worker_without_a_home_is_one_line(attempt, lines, tmp_path, monkeypatch, named):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    if named is None:
        monkeypatch.delenv("GRADMIX_HOME")
    else:
        monkeypatch.setenv("GRADMIX_HOME", named and str(tmp_path / named))
    with pytest.raises(HomeError, match=r"^expected [^\n]*$"):
        job.fn("train", WORK, "a label", attempt.key, DIGEST)


def test_settings_that_others_have_written_are_not_run(run, attempt):
    (attempt.folder / "job.json").write_bytes(b'{"trunk": "subprocess:call"}')
    state, ended = run(must_not_run)
    assert state.is_failed()
    assert ended.exit_code == REJECTED
    assert ended.message.startswith("expected the settings that were submitted, found another")


def test_the_attempt_before_is_not_waited_for_for_ever(run, attempt, home, monkeypatch):
    monkeypatch.setattr(attempt_module, "HANDOVER_S", 0.0)
    with attempt_module.alone(attempt), pytest.raises(BusyError):
        run(must_not_run)
    # No word: who asks learns it from the flow run, which has failed, and asks again.
    assert not Path(home / WORK / ENDED).exists()


def test_the_flow_of_a_worker_does_not_import_torch():
    # The jobs' processes load torch: a host's own would only hold 700 MB for nothing.
    slow = ("torch", "scipy", "mlflow")
    code = f"import sys, flows.job; print([name for name in {slow} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True)
    assert found.stdout == b"[]\n"
