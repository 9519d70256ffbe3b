"""Flows that a fleet serves: what the commands do, with a log for Prefect's UI."""

import pytest
from prefect.logging import disable_run_logger

from data.frames.decode import Sampling
from data.frames.store import Summary
from flows import served


@pytest.fixture
def asked(monkeypatch):
    """What the extraction was asked for; it finds three clips, one of them broken."""
    calls = []

    def extract(videos, out, sampling, max_broken, tell):
        calls.append((str(videos), str(out), sampling, max_broken))
        tell(1, 3, ("cpu:0",))
        return Summary(clips=3, frames=20, skipped=({"clip": "b.avi", "reason": "no frames"},))

    monkeypatch.setattr(served, "extract_folder", extract)
    return calls


def test_extract_asks_for_what_the_command_would(asked):
    with disable_run_logger():
        assert served.extract.fn("/v", "/frames") == "/frames/frames.parquet"
        served.extract.fn("/v", "/frames", every=5, max_broken=0.5)
        served.extract.fn("/v", "/frames", frames=7)

    assert asked == [
        ("/v", "/frames", Sampling(frames=10, every=None), 0.05),
        ("/v", "/frames", Sampling(frames=None, every=5), 0.5),
        ("/v", "/frames", Sampling(frames=7, every=None), 0.05),
    ]


def test_a_report_is_made_in_the_home_of_the_worker_unless_another_is_named(monkeypatch):
    calls = []
    monkeypatch.setattr(served, "report_command", lambda run, home: calls.append((run, home)))
    monkeypatch.setenv("GRADMIX_HOME", "/srv/runs")

    served.report.fn("digits-demo-1")
    served.report.fn("digits-demo-1", home="/other")

    assert calls == [("digits-demo-1", "/srv/runs"), ("digits-demo-1", "/other")]
