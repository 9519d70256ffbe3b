"""A job on disk, for hosts that mount the home folder at different places."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tasks.codec import CodecError
from tasks.jobs.files import JOB, inputs_of, read_job, write_job

HERE, THERE = Path("/srv/gradmix/runs"), Path("/mnt/runs")


@dataclass(frozen=True, kw_only=True)
class Source:
    name: str
    data: Path


@dataclass(frozen=True, kw_only=True)
class Job:
    seed: int
    weights: Path | None
    target: Path
    sources: tuple[Source, ...]
    label: str = ""


@pytest.fixture
def job() -> Job:
    source = Source(name="S1", data=HERE / "artifacts/prepare/2")
    clip = Source(name="clip", data=Path("/data/UCF-101/v_Jump_g01.avi"))
    target = HERE / "artifacts/prepare/1"
    return Job(seed=7, weights=None, target=target, sources=(source, clip))


def test_paths_under_the_home_folder_follow_it(tmp_path: Path, job: Job) -> None:
    write_job(tmp_path, job, HERE)

    found = read_job(Job, tmp_path, THERE)

    moved = replace(job.sources[0], data=THERE / "artifacts/prepare/2")
    sources = (moved, job.sources[1])
    assert found == replace(job, target=THERE / "artifacts/prepare/1", sources=sources)
    # Nothing of the host that asks is left in the file.
    assert str(HERE) not in (tmp_path / JOB).read_text()


def test_a_job_is_read_as_it_was_written_where_the_home_is_the_same(
    tmp_path: Path, job: Job
) -> None:
    write_job(tmp_path, job, HERE)

    assert read_job(Job, tmp_path, HERE) == job


@pytest.mark.parametrize(
    "path",
    [f"{HERE}-old/artifacts/1", f"{HERE}2", f"x{HERE}/1", "runs/artifacts/1", "/srv/gradmix"],
)
def test_a_path_that_only_resembles_the_home_stays(tmp_path: Path, job: Job, path: str) -> None:
    write_job(tmp_path, replace(job, target=Path(path)), HERE)

    assert read_job(Job, tmp_path, THERE).target == Path(path)


def test_text_is_no_path(tmp_path: Path, job: Job) -> None:
    write_job(tmp_path, replace(job, label=f"{HERE}/1"), HERE)

    assert read_job(Job, tmp_path, THERE).label == f"{HERE}/1"


def test_a_home_that_is_reached_through_a_link_is_written_as_it_is_named(
    tmp_path: Path, job: Job
) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "artifacts").mkdir(parents=True)
    link.symlink_to(real)

    write_job(tmp_path, replace(job, target=link / "artifacts"), link)

    assert read_job(Job, tmp_path, link).target == link / "artifacts"
    assert read_job(Job, tmp_path, real).target == real / "artifacts"


def test_what_a_job_reads_of_the_home_is_told_relative_to_it(tmp_path: Path, job: Job) -> None:
    again = Source(name="again", data=HERE / "artifacts/prepare/1")
    home = Source(name="home", data=HERE)
    others = replace(job, label="a {home}/b", sources=(*job.sources, again, home))
    write_job(tmp_path, others, HERE)

    # Not the home itself, nor what lies elsewhere.
    assert inputs_of(tmp_path) == ["artifacts/prepare/1", "artifacts/prepare/2"]


def test_a_job_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, job: Job) -> None:
    write_job(tmp_path, job, HERE)
    before = (tmp_path / JOB).read_text()

    with pytest.raises(TypeError):
        write_job(tmp_path, {"x": object()}, HERE)

    assert (tmp_path / JOB).read_text() == before
    assert json.loads(before)["seed"] == 7


def test_a_job_without_one_of_its_keys_is_refused_by_its_name(tmp_path: Path, job: Job) -> None:
    write_job(tmp_path, job, HERE)
    content = json.loads((tmp_path / JOB).read_text())
    del content["seed"]
    (tmp_path / JOB).write_text(json.dumps(content))

    with pytest.raises(CodecError, match=r"^job\.json: expected the key 'seed', found none"):
        read_job(Job, tmp_path, HERE)
