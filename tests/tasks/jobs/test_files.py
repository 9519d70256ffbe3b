"""A job on disk, for hosts that mount the home folder at different places."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.jobs.files import JOB, read_by, read_job, write_job

HERE, THERE = Path("/srv/gradmix/runs"), Path("/mnt/runs")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture
def job() -> dict[str, Any]:
    return {
        "seed": 7,
        "rate": 0.05,
        "weights": None,
        "home": str(HERE),
        "target": f"{HERE}/artifacts/prepare/1",
        "source_sets": [{"name": "S1", "data": f"{HERE}/artifacts/prepare/2", "classes": ["5"]}],
        "clips": ["/data/UCF-101/v_Jump_g01.avi"],
    }


def test_paths_under_the_home_folder_follow_it(tmp_path: Path, job: dict[str, Any]) -> None:
    write_job(tmp_path, job, HERE)

    found = read_job(tmp_path, THERE)

    assert found == job | {
        "home": "/mnt/runs",
        "target": "/mnt/runs/artifacts/prepare/1",
        "source_sets": [{"name": "S1", "data": "/mnt/runs/artifacts/prepare/2", "classes": ["5"]}],
    }
    # Nothing of the host that asks is left in the file.
    assert str(HERE) not in (tmp_path / JOB).read_text()


def test_a_job_is_read_as_it_was_written_where_the_home_is_the_same(
    tmp_path: Path, job: dict[str, Any]
) -> None:
    write_job(tmp_path, job, HERE)

    assert read_job(tmp_path, HERE) == job


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("job")


@settings(max_examples=25)
@given(job=st.dictionaries(st.text(), JSON))
def test_what_holds_no_path_of_the_home_is_read_as_it_was_written(
    folder: Path, job: dict[str, Any]
) -> None:
    write_job(folder, job, HERE)

    assert read_job(folder, THERE) == job


@pytest.mark.parametrize(
    "path",
    [f"{HERE}-old/artifacts/1", f"{HERE}2", f"x{HERE}/1", "runs/artifacts/1", "/srv/gradmix"],
)
def test_a_path_that_only_resembles_the_home_stays(tmp_path: Path, path: str) -> None:
    write_job(tmp_path, {"path": path}, HERE)

    assert read_job(tmp_path, THERE) == {"path": path}


def test_keys_are_no_paths(tmp_path: Path) -> None:
    write_job(tmp_path, {f"{HERE}/1": "x"}, HERE)

    assert read_job(tmp_path, THERE) == {f"{HERE}/1": "x"}


def test_a_home_that_is_reached_through_a_link_is_written_as_it_is_named(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "artifacts").mkdir(parents=True)
    link.symlink_to(real)

    write_job(tmp_path, {"data": str(link / "artifacts")}, link)

    assert read_job(tmp_path, link) == {"data": str(link / "artifacts")}
    assert read_job(tmp_path, real) == {"data": str(real / "artifacts")}


def test_what_a_job_reads_of_the_home_is_told_relative_to_it(
    tmp_path: Path, job: dict[str, Any]
) -> None:
    others = {"again": f"{HERE}/artifacts/prepare/1", "label": "a {home}/b"}
    write_job(tmp_path, job | others, HERE)

    # Not the home itself, nor what lies elsewhere.
    assert read_by(tmp_path) == ["artifacts/prepare/1", "artifacts/prepare/2"]


def test_a_job_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, job: dict[str, Any]
) -> None:
    write_job(tmp_path, job, HERE)
    before = (tmp_path / JOB).read_text()

    with pytest.raises(TypeError):
        write_job(tmp_path, {"x": object()}, HERE)

    assert (tmp_path / JOB).read_text() == before
    assert json.loads(before)["seed"] == 7
