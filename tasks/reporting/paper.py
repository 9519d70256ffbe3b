"""The paper's settings, table rows and grid, with their places in it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Settings = Mapping[str, Any]
Item = tuple[str, str, Any, Callable[[Settings], Any]]
"""A setting: name, place in the paper, the paper's value, and ours."""

FINE_TUNED = ("fine_tune", "energynet")
"""Methods that start from another method's model."""


def _rates(settings: Settings, *, fine_tune: bool) -> list[float]:
    """Learning rates of the baselines; the first stage uses those of the training."""
    common = settings["training"]["learning_rates"]
    rates = [] if fine_tune else list(common)
    tuning = settings["training"].get("fine_tuning_rates") or common
    for baseline in settings["baselines"]:
        tuned = baseline["method"] in FINE_TUNED
        if tuned is fine_tune:
            rates += baseline["learning_rates"] or (tuning if tuned else common)
    return sorted(set(rates), reverse=True)


def _ensemble(sample: str) -> list[Item]:
    return [
        ("R, members of the ensemble", "§3.5", 3, lambda s: s["ensemble"]["r"]),
        ("confidence threshold", "§3.5", 0.8, lambda s: s["ensemble"]["threshold"]),
        (
            f"{sample} per class in the enlarged V",
            "§3.5",
            100,
            lambda s: s["ensemble"]["enlarged_v"],
        ),
    ]


def _learning_rates(training: float, fine_tuning: float) -> list[Item]:
    return [
        ("learning rate", "§4.1", [training], lambda s: _rates(s, fine_tune=False)),
        (
            "learning rate of fine-tuning",
            "§4.1",
            [fine_tuning],
            lambda s: _rates(s, fine_tune=True),
        ),
    ]


GRID_EXPERIMENT = "digits"
GRID_BETA = (5, 6, 7, 8, 9, 10)
GRID_GAMMA = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
GRID_K = 3
GRID = (
    (90.92, 90.96, 90.95, 90.58, 90.75, 90.75, 90.51, 90.63, 91.12),
    (90.41, 90.75, 89.95, 90.79, 90.59, 89.95, 90.58, 90.63, 90.56),
    (89.76, 90.44, 90.42, 90.94, 90.28, 90.40, 90.52, 90.70, 90.66),
    (90.05, 90.89, 90.93, 90.57, 90.77, 90.69, 89.99, 90.58, 90.71),
    (90.32, 90.70, 90.48, 90.94, 90.47, 90.92, 90.20, 90.23, 90.86),
    (90.52, 90.03, 89.67, 90.01, 89.84, 90.51, 91.45, 90.58, 90.70),
)
"""The paper's Table 2: test accuracy in per cent at k = 3, mean of 10 runs; beta by gamma."""
GRID_SELECTED = ((5, 0.1), (5, 0.8), (10, 0.6))
"""Its top three, printed in bold."""

PROTOCOL: dict[str, list[Item]] = {
    "digits": [
        ("k, labelled samples per class", "§4.2", [2, 3, 4, 5], lambda s: s["target"]["k"]),
        ("draws of V", "§4.2", 10, lambda s: s["target"]["draws"]),
        ("hyper-validation samples", "§4.2", 1000, lambda s: s["target"]["hyper_validation"]),
        ("beta", "Table 2", GRID_BETA, lambda s: s["first_stage"]["beta"]),
        ("gamma", "Table 2", GRID_GAMMA, lambda s: s["first_stage"]["gamma"]),
        *_ensemble("samples"),
        *_learning_rates(0.05, 0.005),
        ("momentum", "§4.1", 0.9, lambda s: s["training"]["momentum"]),
    ],
    "actions": [
        ("k, labelled clips per class", "§4.3", [3, 5, 10], lambda s: s["target"]["k"]),
        ("draws of V", "§4.3", 2, lambda s: s["target"]["draws"]),
        *_ensemble("clips"),
        *_learning_rates(0.001, 5e-5),
        ("network", "§4.1", "resnet18", lambda s: s["network"]["trunk"]),
        ("weights it starts from", "§4.1", "imagenet", lambda s: s["network"]["weights"]),
    ],
}
"""The paper's settings, by experiment."""

TABLE: dict[str, tuple[str, Sequence[str]]] = {
    "digits": (
        "Table 1",
        (
            *("Target only", "Source only", "Fine-tune", "GradMix SGD", "GradMix w/o AdaLR"),
            *("GradMix", "MME", "MDDA", "DCTN", "GradMix w/ soft label", "GradMix w/ hard label"),
            *("GradMix w/ VAT", "GradMix w/ MixMatch"),
        ),
    ),
    "actions": (
        "Table 3",
        (
            *("Target only", "Source only", "Fine-tune", "EnergyNet", "GradMix", "MDDA", "DCTN"),
            *("GradMix w/ hard label", "GradMix w/ VAT", "GradMix w/ MixMatch"),
        ),
    ),
}
"""The paper's table and its rows, by experiment."""

DATA = {"digits": "official split", "actions": "official data (§4.1)"}
"""The paper's data, by experiment."""

OUR_READING = " (our reading)"
"""Suffix, not in the paper, for rows of methods whose code is not public."""
OUR_READINGS = {
    "energynet": "EnergyNet ([Li et al., 2017](https://arxiv.org/abs/1708.00973), the paper's [15])"
}
"""These methods, as referred to in the paper."""
