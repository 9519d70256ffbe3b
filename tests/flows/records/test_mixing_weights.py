"""Mixing weights of a training."""

import json
from types import SimpleNamespace

from flows.records.mixing_weights import mean_weights
from tasks.jobs.inputs.train import CURVE


def test_a_weight_is_the_mean_over_layers_and_validations(tmp_path):
    """The mean of 0.2, 0.4 and 0.9 is 0.5; that of 0.8 and 0.6 is 0.7."""
    lines = [
        {"step": 10, "weight/a.0/S1": 0.2, "weight/a.0/S2": 0.8, "rho": 1.0},
        {"step": 20, "weight/a.0/S1": 0.4, "weight/a.0/S2": 0.6, "weight/b/S1": 0.9},
    ]
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / CURVE).write_text(json.dumps(lines))
    found = mean_weights(tmp_path, SimpleNamespace(folder="made"))
    assert {name: round(value, 9) for name, value in found.items()} == {"S1": 0.5, "S2": 0.7}
    (tmp_path / "made" / CURVE).write_text(json.dumps([{"step": 10, "loss/V": 0.1}]))
    assert mean_weights(tmp_path, SimpleNamespace(folder="made")) == {}
    assert mean_weights(tmp_path, SimpleNamespace(folder="elsewhere")) == {}
