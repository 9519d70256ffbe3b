"""A job of one host, the storage between, and the home of another host that works on it."""

from pathlib import Path

import pytest

from tasks.execution import job_transfer as exchange
from tasks.execution.attempts import Attempt
from tasks.execution.job_transfer import SubmitterSync, WorkerSync
from tasks.jobs.files import write_job
from tasks.storage.artifacts import Artifact, Request, Store
from tasks.storage.remote import Storage, open_storage
from tasks.subjects import Subject
from tests.tasks.execution.job_transfer.hosts import WORK, Clock, Fetch, Job, handed_over, on


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(exchange, "time", clock)
    return clock


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The storage's folder."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


@pytest.fixture
def storage(there: Path) -> Storage:
    storage = open_storage(f"file://{there}")
    assert storage is not None
    return storage


@pytest.fixture
def asker(tmp_path: Path, storage: Storage) -> Store:
    """The home folder of who asks."""
    return Store(tmp_path / "asker", storage)


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    """The home folder of who works; not that of who asks."""
    (tmp_path / "worker").mkdir()
    return tmp_path / "worker"


@pytest.fixture
def data(asker: Store) -> Artifact:
    """An artifact that the job reads."""
    request = Request("prepare", 1, {}, {}, 0, Subject(name="svhn train"))
    output = asker.work(request) / "output"
    output.mkdir()
    (output / "images.bin").write_text("pixels")
    artifact = asker.commit(request, output, {}, {}, {})
    asker.discard_work(request)
    return artifact


@pytest.fixture
def folder(asker: Store, data: Artifact) -> Path:
    """The job's folder, of who asks."""
    folder = asker.home / WORK
    (folder / "output").mkdir(parents=True)
    write_job(folder, Job(data=asker.home / data.folder, seed=7), asker.home)
    return folder


@pytest.fixture
def submitter(asker: Store, storage: Storage, clock: Clock) -> SubmitterSync:
    return SubmitterSync(asker.home, WORK, storage)


@pytest.fixture
def fetch(submitter: SubmitterSync, folder: Path, worker: Path, storage: Storage) -> Fetch:
    """Hand the job over and fetch it: the attempt and its exchange, on the host that works."""

    def call() -> tuple[Attempt, WorkerSync]:
        attempt = on(worker, handed_over(submitter, folder))
        worker_sync = WorkerSync(worker, attempt, storage)
        worker_sync.fetch()
        return attempt, worker_sync

    return call
