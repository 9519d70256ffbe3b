"""The package's own example, and the pinned numbers of one tiny training."""

import doctest

import pytest

import gradmix
from gradmix.declarations.training import TrainingConfig
from gradmix.training import train


def test_the_example_of_the_package_runs() -> None:
    found = doctest.testmod(gradmix)
    assert found.attempted >= 7
    assert found.failed == 0


def test_every_public_name_exists() -> None:
    assert sorted(gradmix.__all__) == sorted(set(gradmix.__all__))
    for name in gradmix.__all__:
        assert hasattr(gradmix, name)


# Accuracy and loss on hyper-validation, with and without V's statistics, and mean rho and eta of
# every three steps: V's statistics affect predictions but not steps. Update these only with a
# change that is meant to change numbers.
SCORES = {
    True: [(11 / 24, 1.0925577), (13 / 24, 1.0480961), (24 / 24, 0.8085331), (24 / 24, 0.3587779)],
    False: [(8 / 24, 1.0947059), (11 / 24, 1.0688272), (20 / 24, 0.9248578), (24 / 24, 0.4852364)],
}
STEPS = [
    (2.5066153, 0.6232449),
    (2.2090373, 0.5516153),
    (2.3762925, 0.5929521),
    (2.3254915, 0.5791156),
]
KEYS = ("hyper_validation/accuracy", "hyper_validation/loss", "rho", "eta")


@pytest.mark.parametrize("by_v", [True, False])
def test_a_tiny_training_keeps_its_numbers(toy, by_v) -> None:
    training = train(
        toy.method("gradmix", beta=1.0, gamma=2.0, v_updates_statistics=by_v),
        toy.streams(),
        toy.target(),
        toy.hyper_validation(),
        TrainingConfig(steps=12, validate_every=3),
    )
    found = [tuple(row[key] for key in KEYS) for row in training.curve]
    expected = [score + step for score, step in zip(SCORES[by_v], STEPS, strict=True)]
    assert found == [pytest.approx(row, rel=1e-4) for row in expected]
