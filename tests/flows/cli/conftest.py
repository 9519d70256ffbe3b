"""What all tests of commands share."""

import pytest


@pytest.fixture(autouse=True)
def configured(monkeypatch):
    """No command changes the environment: that of Prefect and MLflow is global to a process."""
    monkeypatch.setattr("flows.cli.lazy.configure", lambda _: None)
