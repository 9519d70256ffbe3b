"""Environment of this process and of slot processes."""

import getpass
import os
import pwd
import socket
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy.engine import make_url

from tasks.errors import VariableError
from tasks.execution import environment
from tasks.execution.environment import (
    configure,
    reach_loopback_directly,
    steady_libraries,
    training_environment,
)
from tasks.execution.processes import without


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what another test, or the user, has set for Prefect, MLflow and proxies."""
    kept = without(os.environ, ["PREFECT_", "MLFLOW_", "DO_NOT_TRACK"])
    monkeypatch.setattr(
        os, "environ", {k: v for k, v in kept.items() if not k.lower().endswith("_proxy")}
    )
    monkeypatch.setattr(environment, "left_out", {})


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


def test_an_empty_value_counts_as_none(bare: None, tmp_path: Path) -> None:
    os.environ |= {"MLFLOW_TRACKING_URI": "", "PREFECT_API_REQUEST_TIMEOUT": ""}

    configure(tmp_path)

    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert "PREFECT_API_REQUEST_TIMEOUT" not in os.environ


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("PREFECT_API_URL", True),
        ("PREFECT_SERVER_DATABASE_CONNECTION_URL", True),
        ("PREFECT_WORKER_QUERY_SECONDS", True),
        ("PREFECT_TASKS_REFRESH_CACHE", False),
        ("PREFECT_RESULTS_DEFAULT_SERIALIZER", False),
        ("PREFECT_FLOWS_DEFAULT_RETRIES", False),
        ("PREFECT_PROFILE", False),
        ("PREFECT_TEST_MODE", False),
    ],
)
def test_settings_of_a_users_own_flows_are_left_out(
    bare: None, tmp_path: Path, name: str, stays: bool
) -> None:
    os.environ[name] = "9"

    configure(tmp_path)

    assert (name in os.environ) is stays
    assert environment.left_out == ({} if stays else {name: "9"})


def test_mlflows_settings_are_for_the_store_that_they_came_with(bare: None, tmp_path: Path) -> None:
    mine = {"MLFLOW_REGISTRY_URI": "http://registry", "MLFLOW_WORKSPACE": "team"}
    os.environ |= mine
    configure(tmp_path)
    assert environment.left_out == mine

    os.environ |= mine | {"MLFLOW_TRACKING_URI": "http://tracking"}
    configure(tmp_path)
    assert os.environ["MLFLOW_REGISTRY_URI"] == "http://registry"


def test_a_level_that_mlflow_cannot_be_imported_with_is_refused(bare: None, tmp_path: Path) -> None:
    os.environ["MLFLOW_LOGGING_LEVEL"] = "verbose"

    with pytest.raises(VariableError, match=r"MLFLOW_LOGGING_LEVEL: .*, found 'verbose'; correct"):
        configure(tmp_path)


def test_no_profile_is_read(bare: None, tmp_path: Path) -> None:
    os.environ["PREFECT_PROFILES_PATH"] = "/home/me/profiles.toml"

    configure(tmp_path)

    assert os.environ["PREFECT_PROFILES_PATH"] == f"{tmp_path}/prefect/no-profiles.toml"


def test_a_tilde_in_prefects_home_is_somebody(
    bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.environ |= {"PREFECT_HOME": "~/databases", "HOME": str(tmp_path)}
    configure(tmp_path)
    assert os.environ["PREFECT_HOME"] == f"{tmp_path}/databases"

    os.environ["PREFECT_HOME"] = "~nosuchuser/x"
    with pytest.raises(VariableError, match=r"PREFECT_HOME: .*'~nosuchuser/x', whose user"):
        configure(tmp_path)


def test_without_a_user_or_home_folder_there_is_a_name_and_a_folder(
    bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: int) -> NoReturn:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        os.environ.pop(name, None)

    configure(tmp_path)

    assert Path.home() == tmp_path / ".user"
    assert getpass.getuser() == f"uid-{os.getuid()}"


@pytest.mark.parametrize(
    ("given", "entries"),
    [
        ({}, []),
        ({"NO_PROXY": ".corp.example"}, [".corp.example"]),
        ({"no_proxy": "a, b,,"}, ["a", "b"]),
        ({"no_proxy": "small", "NO_PROXY": "LARGE"}, ["small"]),
        ({"NO_PROXY": "localhost,10.0.0.0/8"}, ["localhost", "10.0.0.0/8"]),
    ],
)
def test_loopback_is_added_to_what_is_let_past_a_proxy(
    given: dict[str, str], entries: list[str]
) -> None:
    reach_loopback_directly(given)

    found = given["no_proxy"].split(",")
    assert given["NO_PROXY"] == given["no_proxy"]
    assert found[: len(entries)] == entries
    assert {"127.0.0.1", "localhost", "::1", socket.gethostname()} <= set(found)
    assert len(found) == len(set(found))


def test_where_everything_is_let_past_it_stays_so() -> None:
    variables = {"NO_PROXY": "*"}
    reach_loopback_directly(variables)
    assert variables == {"NO_PROXY": "*", "no_proxy": "*"}


def test_a_home_folder_with_signs_that_mean_something_in_an_address(
    bare: None, tmp_path: Path
) -> None:
    home = tmp_path / "q?x"
    home.mkdir()

    configure(home)

    assert make_url(os.environ["MLFLOW_TRACKING_URI"]).database == f"{home}/mlflow.db"


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


def test_torch_and_matplotlib_start_whatever_the_user_has_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True,max_split_size_mb:64")
    steady_libraries()
    assert os.environ["MPLBACKEND"] == "agg"

    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "garbage")
    with pytest.raises(VariableError, match="PYTORCH_CUDA_ALLOC_CONF: expected settings such as"):
        steady_libraries()
