"""The flow `extract`: what the command does, with a log for Prefect's UI."""

import pytest
from prefect.logging import disable_run_logger

from data.frames.sampling import Sampling
from data.frames.store import Summary
from flows import extract as extract_flow


@pytest.fixture
def asked(monkeypatch):
    """What the extraction was asked for; it finds three clips, one of them broken."""
    calls = []

    def extract(videos, out, sampling, max_broken, tell):
        calls.append((str(videos), str(out), sampling, max_broken))
        tell(1, 3, ("cpu:0",))
        return Summary(clips=3, frames=20, skipped=({"clip": "b.avi", "reason": "no frames"},))

    monkeypatch.setattr(extract_flow, "extract_folder", extract)
    return calls


def test_extract_asks_for_what_the_command_would(asked):
    with disable_run_logger():
        assert extract_flow.extract.fn("/v", "/frames") == "/frames/frames.parquet"
        extract_flow.extract.fn("/v", "/frames", every=5, max_broken=0.5)
        extract_flow.extract.fn("/v", "/frames", frames=7)

    assert asked == [
        ("/v", "/frames", Sampling(frames=10, every=None), 0.05),
        ("/v", "/frames", Sampling(frames=None, every=5), 0.5),
        ("/v", "/frames", Sampling(frames=7, every=None), 0.05),
    ]
