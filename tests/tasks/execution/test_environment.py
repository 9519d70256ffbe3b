"""Environment of this process and of slot processes."""

import os
from pathlib import Path

import pytest

from tasks.execution.environment import configure, training_environment

NAMES = (
    "PREFECT_HOME",
    "PREFECT_LOCAL_STORAGE_PATH",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE",
    "MLFLOW_TRACKING_URI",
    "DO_NOT_TRACK",
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    monkeypatch.setattr(os, "environ", {k: v for k, v in before.items() if k not in NAMES})


def test_everything_lies_under_the_home_folder(bare: None, tmp_path: Path) -> None:
    configure(tmp_path)

    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert os.environ["PREFECT_LOCAL_STORAGE_PATH"] == str(tmp_path / "prefect" / "results")
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert os.environ["DO_NOT_TRACK"] == "1"


def test_a_relative_home_gives_absolute_paths(
    bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    configure(Path("runs"))

    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/runs/mlflow.db"


def test_what_the_user_has_set_stays(bare: None, tmp_path: Path) -> None:
    os.environ["MLFLOW_TRACKING_URI"] = "http://tracking:5000"

    configure(tmp_path)

    assert os.environ["MLFLOW_TRACKING_URI"] == "http://tracking:5000"


def test_a_core_sees_no_gpu_and_has_one_thread() -> None:
    variables = training_environment("")

    assert variables["CUDA_VISIBLE_DEVICES"] == ""
    assert variables["OMP_NUM_THREADS"] == variables["MKL_NUM_THREADS"] == "1"


def test_a_gpu_slot_sees_its_gpu_only_and_keeps_its_threads() -> None:
    variables = training_environment("GPU-5a")

    assert variables["CUDA_VISIBLE_DEVICES"] == "GPU-5a"
    assert "OMP_NUM_THREADS" not in variables


def test_the_allocator_keeps_its_heap_but_reserves_little() -> None:
    variables = training_environment("")

    assert variables["MALLOC_MMAP_MAX_"] == "0"
    assert int(variables["MALLOC_TOP_PAD_"]) <= 32 << 20 < int(variables["MALLOC_TRIM_THRESHOLD_"])
