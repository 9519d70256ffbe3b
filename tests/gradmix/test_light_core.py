"""The core imports only torch and numpy, and names a missing library."""

import subprocess
import sys

import pytest

# Modules that torch and numpy import, some with the first optimiser, are loaded before; nothing
# else may be added.
PRELUDE = """
import sys, torch, numpy
torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
brought = {name.partition(".")[0] for name in sys.modules}
allowed = brought | set(sys.stdlib_module_names) | {"gradmix"}
sys.modules["nlopt"] = None
"""

LOOP = """
import torch
from torch import nn
from gradmix import Mixer

model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 3))
optimizer, loss = torch.optim.AdamW(model.parameters()), nn.CrossEntropyLoss()
mixer = Mixer(model, sources=["web", "sport"], beta=5.0, gamma=0.4)
for _ in range(2):
    web, sport, v = (torch.randn(4, 1, 8, 8) for _ in range(3))
    labels = torch.randint(3, (4,))
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        with mixer.source("web"):
            loss(model(web), labels).backward()
        with mixer.source("sport"):
            loss(model(sport), labels).backward()
        with mixer.target():
            loss(model(v), labels).backward()
    step = mixer.mix()
    optimizer.step()
print(f"{step.eta:.3f}")
print(*(name for name in sys.modules if name.startswith("gradmix.")))
print(*{name.partition(".")[0] for name in sys.modules} - allowed - {"nlopt"})
"""

MISSING = """
from gradmix import Mixer, mixing_weights
try:
    mixing_weights(torch.eye(2), torch.ones(2), "slsqp")
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Output of a fresh interpreter with only torch and numpy."""
    command = [sys.executable, "-P", "-W", "error", "-c", PRELUDE + LOOP + MISSING]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return done.stdout.splitlines()


def test_torch_and_numpy_alone_run_a_mixing_loop(lines: list[str]) -> None:
    assert 0.0 < float(lines[0]) < 1.0
    assert lines[2] == "", "imported besides torch and numpy"


def test_a_mixing_loop_loads_no_method(lines: list[str]) -> None:
    loaded = lines[1].split()
    assert "gradmix.mixer.mixer" in loaded
    assert not [name for name in loaded if "method" in name or "network" in name]


def test_slsqp_names_what_it_needs(lines: list[str]) -> None:
    assert lines[3:] == [
        "solver slsqp needs NLopt, which is not installed; pip install nlopt, or use exact."
    ]


def test_an_error_inside_nlopt_is_not_taken_for_a_missing_one(monkeypatch) -> None:
    from gradmix.solving.solvers import solver_named

    class Broken:
        def find_spec(self, name, *_):
            if name == "gradmix.solving.slsqp":
                raise ModuleNotFoundError("No module named 'libm'", name="libm")

    monkeypatch.delitem(sys.modules, "gradmix.solving.slsqp", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="libm"):
        solver_named("slsqp")


def test_public_names_come_from_their_modules_when_they_are_asked_for() -> None:
    import gradmix

    assert sorted(gradmix._HOMES) == sorted(gradmix.__all__) == sorted(dir(gradmix))
    for name, module in gradmix._HOMES.items():
        assert getattr(gradmix, name) is getattr(sys.modules[f"gradmix.{module}"], name)
    with pytest.raises(AttributeError, match="no attribute 'Mixed'"):
        gradmix.Mixed  # noqa: B018 - looking is what is tested
