"""The optimiser against torch's, schedules, clipping and weight averaging."""

import io
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.training import TrainingConfig
from gradmix.optimiser import Average, Optimiser, schedule_factor
from gradmix.training import train

TORCHS = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}


def torchs(config: OptimiserConfig, vector: torch.Tensor) -> torch.optim.Optimizer:
    first = config.momentum
    own = {"momentum": first} if config.optimiser == "sgd" else {"betas": (first, 0.999)}
    decay = config.weight_decay
    return TORCHS[config.optimiser]([vector], lr=config.learning_rate, weight_decay=decay, **own)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("clip", [0.0, 0.5])
@pytest.mark.parametrize("name", TORCHS)
def test_steps_equal_those_of_torch(name, clip, momentum, weight_decay) -> None:
    config = OptimiserConfig(
        learning_rate=0.02, optimiser=name, momentum=momentum, weight_decay=weight_decay, clip=clip
    )
    vector = torch.randn(20, dtype=torch.float64)
    reference = torch.nn.Parameter(vector.clone())
    mine, theirs = Optimiser(config, vector), torchs(config, reference)
    for step in range(12):
        rate = 0.02 * schedule_factor("cosine", step, 12, 3)
        gradient = torch.randn(20, dtype=torch.float64) * 10.0 ** (step % 3 - 1)
        reference.grad = gradient.clone()
        if clip:
            torch.nn.utils.clip_grad_norm_([reference], clip)
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        mine.step(vector, gradient, rate)
    torch.testing.assert_close(vector, reference.detach(), rtol=1e-12, atol=1e-14)


def test_adamw_takes_its_first_step_of_the_learning_rate_against_the_sign() -> None:
    vector = torch.zeros(3, dtype=torch.float64)
    descent = Optimiser(OptimiserConfig(optimiser="adamw", learning_rate=0.1), vector)
    descent.step(vector, torch.tensor([2.0, -3.0, 1e-3], dtype=torch.float64), 0.1)
    expected = torch.tensor([-0.1, 0.1, -0.1], dtype=torch.float64)
    torch.testing.assert_close(vector, expected, rtol=1e-4, atol=0.0)


def test_clipping_leaves_the_direction_and_shorter_gradients_alone() -> None:
    vector, config = torch.zeros(2), OptimiserConfig(momentum=0.0, clip=1.0)
    descent = Optimiser(config, vector)
    descent.step(vector, torch.tensor([3.0, 4.0]), 1.0)
    torch.testing.assert_close(vector, torch.tensor([-0.6, -0.8]))
    descent.step(vector.zero_(), torch.tensor([0.3, 0.4]), 1.0)
    torch.testing.assert_close(vector, torch.tensor([-0.3, -0.4]))


@pytest.mark.parametrize("name", TORCHS)
def test_a_state_does_not_change_and_resumes_to_the_same_bits(name) -> None:
    config, gradients = OptimiserConfig(optimiser=name, weight_decay=0.1), torch.randn(6, 5)
    vector = torch.ones(5)
    descent = Optimiser(config, vector)
    for gradient in gradients[:3]:
        descent.step(vector, gradient, 0.1)
    state, there = descent.state_dict(), vector.clone()
    for gradient in gradients[3:]:
        descent.step(vector, gradient, 0.1)
    resumed = Optimiser(config, there)
    resumed.load_state_dict(state)
    for gradient in gradients[3:]:
        resumed.step(there, gradient, 0.1)
    assert torch.equal(there, vector)


def test_the_cosine_falls_along_half_a_period_after_the_warm_up() -> None:
    found = [schedule_factor("cosine", step, 10, 2) for step in range(10)]
    assert found[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert found[6] == pytest.approx(0.5)
    assert found[9] == pytest.approx((1 + math.cos(math.pi * 7 / 8)) / 2)


def test_the_linear_schedule_falls_by_equal_parts_and_the_constant_one_not() -> None:
    assert [schedule_factor("linear", step, 4) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert {schedule_factor("constant", step, 4) for step in range(4)} == {1.0}


@settings(deadline=None)
@given(st.sampled_from(["constant", "cosine", "linear"]), st.integers(1, 99), st.data())
def test_a_schedule_rises_to_one_in_the_warm_up_and_never_after(schedule, steps, data) -> None:
    warm_up = data.draw(st.integers(0, steps - 1))
    found = [schedule_factor(schedule, step, steps, warm_up) for step in range(steps)]
    assert all(0.0 < factor <= 1.0 for factor in found)
    assert found[warm_up] == 1.0
    assert found[: warm_up + 1] == sorted(found[: warm_up + 1])
    assert found[warm_up:] == sorted(found[warm_up:], reverse=True)


def test_an_average_is_that_of_the_weights_so_far_until_its_decay_holds() -> None:
    weights = torch.randn(30, 3, dtype=torch.float64)
    average = Average(torch.zeros(3, dtype=torch.float64), 0.5)
    expected = torch.zeros(3, dtype=torch.float64)
    for n, vector in enumerate(weights, start=1):
        average.add(vector)
        kept = min(0.5, n / (n + 9))
        expected = kept * expected + (1 - kept) * vector
    torch.testing.assert_close(average.vector, expected)
    with average.in_place_of(weights[0]):
        torch.testing.assert_close(weights[0], expected)
    assert not torch.allclose(weights[0], expected)


RECIPE = {"schedule": "cosine", "warm_up": 2, "average": 0.9}
ADAMW = OptimiserConfig(optimiser="adamw", learning_rate=5e-3, weight_decay=0.01, clip=1.0)


def run(toy, name, steps, network=None, **options):
    method = toy.method(name, network or toy.network(dropout=0.3), optimiser=ADAMW)
    config = TrainingConfig(steps=6, validate_every=3, **RECIPE)
    arguments = (method, toy.streams(), toy.target(), toy.hyper_validation(), config)
    states = []
    training = train(
        *arguments,
        unlabelled=toy.unlabelled(),
        on_validation=lambda _, state: states.append(state()),
        **options,
    )
    return method, training, states


@pytest.mark.parametrize("name", ["gradmix", "joint", "mme", "gradmix_fixmatch"])
def test_a_training_with_the_whole_recipe_resumes_bit_by_bit(toy, name) -> None:
    whole, expected, states = run(toy, name, 6)
    file = io.BytesIO()
    torch.save(states[0], file)
    file.seek(0)
    torch.manual_seed(99)
    resumed, found, _ = run(
        toy,
        name,
        6,
        toy.network(seed=5, dropout=0.3),
        resume=torch.load(file, weights_only=True),
    )
    assert found.curve == expected.curve
    assert torch.equal(resumed.flat.vector, whole.flat.vector)
    assert torch.equal(found.average.vector, expected.average.vector)
    for key, value in expected.best_model.items():
        assert torch.equal(found.best_model[key], value), key


def test_the_model_kept_is_the_average_and_the_raw_weights_are_scored_beside_it(toy) -> None:
    method, training, _ = run(toy, "joint", 6)
    assert {"raw/accuracy", "raw/loss", "hyper_validation/loss"} <= training.curve[-1].keys()
    assert training.curve[-1]["raw/loss"] != training.curve[-1]["hyper_validation/loss"]
    raw = method.flat.vector.clone()
    assert training.best_step == 6
    method.network.load_state_dict(training.best_model)
    assert torch.equal(method.flat.vector, training.average.vector)
    assert not torch.equal(method.flat.vector, raw)


def test_the_schedule_multiplies_the_learning_rate_and_eta_multiplies_that(toy) -> None:
    moved = []
    for pace in (1.0, 0.25):
        method = toy.method("gradmix")
        method.pace, before = pace, method.flat.vector.clone()
        figures = method.update(*toy.batches())
        moved.append(before - method.flat.vector)
        expected = 0.05 * pace * figures["eta"] * method.flat.gradient
        torch.testing.assert_close(moved[-1], expected, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(moved[1], 0.25 * moved[0], rtol=1e-3, atol=1e-6)


def test_the_loop_tells_every_step_its_pace_and_the_progress(toy) -> None:
    method, seen = toy.method("joint"), []
    update = method.update
    method.update = lambda *batches: seen.append((method.pace, method.progress)) or update(*batches)
    config = TrainingConfig(steps=4, schedule="linear")
    train(method, toy.streams(), toy.target(), toy.hyper_validation(), config)
    assert seen == [(1.0, 0.0), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75)]


@pytest.mark.parametrize(
    ("config", "setting", "found"),
    [
        (OptimiserConfig, {"optimiser": "adam"}, "sgd, adamw. Found 'adam'"),
        (OptimiserConfig, {"weight_decay": -0.1}, "weight_decay must not be negative, found -0.1"),
        (OptimiserConfig, {"clip": float("nan")}, "clip must not be negative, found nan"),
        (TrainingConfig, {"schedule": "step"}, "constant, cosine, linear. Found 'step'"),
        (TrainingConfig, {"average": 1.0}, r"average must be in \[0, 1\), found 1.0"),
        (TrainingConfig, {"steps": 5, "warm_up": 5}, "below steps, 5, found 5"),
    ],
)
def test_an_impossible_recipe_is_refused(config, setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        config(**setting)
