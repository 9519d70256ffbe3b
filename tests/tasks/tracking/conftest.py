"""A real store in a temporary folder; one database for all tests of tracking."""

import pytest

from data.fingerprint import digest_json as sha
from tasks.execution.databases import MLFLOW, ensure_database
from tasks.tracking.tracker import DATABASE, open_tracker


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked home")
    ensure_database(MLFLOW, folder / DATABASE)
    return folder


@pytest.fixture(autouse=True)
def own_store(monkeypatch):
    """The home folder's own store, whatever earlier tests have left in the environment."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def tracker(home, own_store):
    return open_tracker(home, "digits")


@pytest.fixture
def client(home):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


@pytest.fixture
def identity(request):
    return sha(request.node.name)


@pytest.fixture
def history(client):
    """Reads what a run holds of one metric: step, value, time."""

    def read(run_id, key):
        return [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run_id, key)]

    return read
