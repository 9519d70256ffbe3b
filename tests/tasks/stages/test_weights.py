"""Pretrained weights as an artifact."""

from pathlib import Path

import pytest

from data.fingerprint import sha256_file
from tasks.engine.runtime import use
from tasks.errors import StageError
from tasks.stages import weights as pretrained
from tasks.stages.weights import FILE, STAGE, WeightsInputs, describe, file_of
from tasks.subjects import Subject


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.pt"
    path.write_bytes(b"weights")
    return path


def performed(runtime, file, **changes):
    with use(runtime):
        return STAGE.perform(inputs(file, **{"digest": sha256_file(file)} | changes))


def inputs(path, digest, label="weights"):
    return WeightsInputs(subject=Subject(name=label), path=Path(path), digest=digest)


def test_the_file_lies_in_the_home_folder_whatever_becomes_of_the_original(runtime, file):
    found = performed(runtime, file)
    file.unlink()
    assert found.summary == {"content": found.files[FILE]["sha256"]}
    assert file_of(found, runtime.home) == runtime.home / found.folder / FILE
    assert file_of(found, runtime.home).read_bytes() == b"weights"
    assert file_of(None, runtime.home) is None


def test_its_bytes_decide_and_its_path_does_not(file):
    one = describe(inputs("/here", "d" * 64))
    assert describe(inputs("/there", "d" * 64, "other")).identity == one.identity
    assert describe(inputs("/here", "e" * 64)).identity != one.identity


def test_a_file_that_was_changed_after_the_start_is_refused(runtime, file):
    digest = sha256_file(file)
    file.write_bytes(b"others")
    with pytest.raises(StageError, match=r"own\.pt: expected SHA-256 \w{12}, found \w{12}; it was"):
        performed(runtime, file, digest=digest)


def test_the_raw_file_and_what_trainings_read_are_one_chain(runtime, file, monkeypatch):
    told = []
    monkeypatch.setattr(
        runtime.tracker, "log_dataset", lambda run, *edge: told.append(edge), raising=False
    )
    found = performed(runtime, file)
    digest = sha256_file(file)
    assert told == [
        ("own.pt", digest, str(file), "raw"),
        ("weights", digest, found.folder, "output"),
    ]
    assert pretrained.STAGE.name == "weights"
