"""The package's own example, and the pinned numbers of one tiny training."""

import doctest

import pytest

import gradmix
from gradmix.training import TrainingConfig, train


def test_the_example_of_the_package_runs() -> None:
    found = doctest.testmod(gradmix)
    assert found.attempted >= 7
    assert found.failed == 0


def test_every_public_name_exists() -> None:
    assert sorted(gradmix.__all__) == sorted(set(gradmix.__all__))
    for name in gradmix.__all__:
        assert hasattr(gradmix, name)


# Accuracy and loss on hyper-validation, mean rho and eta of three steps each. Change these only
# with a change that is meant to change numbers.
PINNED = [
    (8 / 24, 1.0947059, 2.5066153, 0.6232449),
    (11 / 24, 1.0688272, 2.2090373, 0.5516153),
    (20 / 24, 0.9248578, 2.3762925, 0.5929521),
    (24 / 24, 0.4852364, 2.3254915, 0.5791156),
]
KEYS = ("hyper_validation/accuracy", "hyper_validation/loss", "rho", "eta")


def test_a_tiny_training_keeps_its_numbers(toy) -> None:
    training = train(
        toy.method("gradmix", beta=1.0, gamma=2.0),
        toy.streams(),
        toy.target(),
        toy.hyper_validation(),
        TrainingConfig(steps=12, validate_every=3),
    )
    found = [tuple(row[key] for key in KEYS) for row in training.curve]
    assert found == [pytest.approx(row, rel=1e-4) for row in PINNED]
