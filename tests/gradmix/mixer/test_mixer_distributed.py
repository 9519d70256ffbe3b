"""Two processes under DistributedDataParallel mix like one process with all the data."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "two_processes.py"
spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
two_processes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(two_processes)


@pytest.mark.parametrize("way", two_processes.WAYS)
def test_two_processes_train_as_one_with_all_data(way, tmp_path) -> None:
    command = [sys.executable, "-P", str(SCRIPT)]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path), way], env=environment, stderr=subprocess.PIPE
        )
        for rank in range(2)
    ]
    for process in both:
        _, error = process.communicate(timeout=240)
        assert process.returncode == 0, error.decode()
    expected = two_processes.trained(two_processes.model(), None, way)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for name, value in expected.items():
        assert torch.equal(first[name], second[name]), "both take the same step"
        torch.testing.assert_close(first[name], value, rtol=1e-8, atol=1e-10)
