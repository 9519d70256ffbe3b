"""Peak memory of this process and its children."""

import subprocess
import sys
import time

import pytest

from flows.monitoring import peak_memory as memory
from flows.monitoring.peak_memory import PeakMemory


def test_the_peak_holds_what_a_child_took_even_after_it_ended(monkeypatch):
    monkeypatch.setattr(memory, "INTERVAL_S", 0.05)
    with PeakMemory() as alone:
        time.sleep(0.2)
    hold = "import sys; x = bytearray(200 << 20); sys.stdout.write('!'); sys.stdin.read()"
    with PeakMemory() as together:
        child = subprocess.Popen(
            [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        child.stdout.read(1)
        time.sleep(0.3)
        child.communicate()
        time.sleep(0.2)
    assert alone.figures["pss_mib"] > 10
    assert together.figures["pss_mib"] - alone.figures["pss_mib"] > 190
    assert together.figures["rss_mib"] >= together.figures["pss_mib"]


def test_an_error_stops_the_sampling(monkeypatch):
    monkeypatch.setattr(memory, "INTERVAL_S", 0.01)
    sampling = PeakMemory()
    with pytest.raises(RuntimeError), sampling:
        raise RuntimeError
    assert not sampling._thread.is_alive()
