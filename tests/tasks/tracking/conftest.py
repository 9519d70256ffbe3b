"""A real store in a temporary folder; one database for all tests of tracking."""

import pytest

from data.fingerprint import digest_json as sha
from tasks.tracking.tracker import open_tracker


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        open_tracker(folder, "digits")
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
