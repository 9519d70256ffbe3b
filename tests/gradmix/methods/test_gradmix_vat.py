"""GradMix with VAT: the direction, the divergence, and what must not change."""

import copy
import math

import pytest
import torch

from gradmix.declarations.methods.gradmix_vat import GradMixVATConfig
from gradmix.methods.gradmix_vat import adversarial_direction, divergence, normalise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cosines(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (normalise(a.double()) * normalise(b.double())).flatten(1).sum(1)


def quadratic(size: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """A symmetric positive matrix with a clear largest eigenvalue, and its eigenvector."""
    basis = torch.linalg.qr(torch.randn(size, size, generator=generator(), dtype=torch.float64)).Q
    values = torch.linspace(0.1, 1.0, size, dtype=torch.float64)
    values[-1] = 1.5
    return basis * values @ basis.T, basis[:, -1]


def trained(toy, **settings):
    """A method after a few steps, so that predictions depend on the images."""
    method = toy.method("gradmix_vat", **settings)
    for _ in range(5):
        method.update(*toy.batches(), toy.unlabelled().next())
    return method


def test_thirty_power_steps_reach_the_top_eigenvector() -> None:
    matrix, top = quadratic()
    start = torch.randn(5, 8, generator=generator(1), dtype=torch.float64)
    found = adversarial_direction(lambda d: ((d @ matrix) * d).sum() / 2.0, start, 30, 1e-2)
    torch.testing.assert_close((found @ top).abs(), torch.ones(5).double(), atol=1e-4, rtol=0)


def test_one_power_step_is_the_matrix_times_the_start_with_its_sign() -> None:
    matrix, _ = quadratic()
    start = torch.randn(5, 8, generator=generator(1), dtype=torch.float64)
    found = adversarial_direction(lambda d: ((d @ matrix) * d).sum() / 2.0, start, 1, 1e-2)
    torch.testing.assert_close(found, normalise(start @ matrix))


def test_the_gradient_is_taken_at_length_xi() -> None:
    lengths = []

    def diverged(nudge: torch.Tensor) -> torch.Tensor:
        lengths.append(nudge.detach().flatten(1).norm(dim=1))
        return nudge.square().sum()

    adversarial_direction(diverged, torch.randn(4, 1, 3, 3, generator=generator()), 2, 0.25)
    torch.testing.assert_close(torch.stack(lengths), torch.full((2, 4), 0.25))


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_directions_have_length_one_per_sample_whatever_they_had(scale) -> None:
    directions = scale * torch.randn(3, 1, 4, 4, generator=generator())
    directions[1] = 0.0
    lengths = normalise(directions).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([1.0, 0.0, 1.0]))
    torch.testing.assert_close(cosines(directions, normalise(directions))[0].item(), 1.0)


def test_the_divergence_weighs_by_the_clean_prediction() -> None:
    p, q = torch.tensor([[0.5, 0.5], [0.5, 0.5]]), torch.tensor([[0.9, 0.1], [0.5, 0.5]])
    expected = 0.5 * (0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1))
    assert float(divergence(p.log(), q.log() + 3.0)) == pytest.approx(expected)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_direction_in_single_precision_matches_that_in_double_precision(toy, norm) -> None:
    method = trained(toy, network=toy.network(norm=norm))
    images = toy.unlabelled().next()
    start = torch.randn(images.shape, generator=generator(4))

    def direction(xi: float, dtype: torch.dtype) -> torch.Tensor:
        judge, x = copy.deepcopy(method.network).to(dtype), images.to(dtype)
        with torch.no_grad():
            clean = judge(x, "target")

        def diverged(nudge: torch.Tensor) -> torch.Tensor:
            return divergence(clean, judge(x + nudge, "target"))

        return adversarial_direction(diverged, start.to(dtype), 1, xi)

    def agreement(xi: float) -> float:
        return float(cosines(direction(xi, torch.float32), direction(xi, torch.float64)).median())

    assert agreement(GradMixVATConfig().xi) >= 0.99
    # The authors' xi, to show why the default differs.
    assert agreement(1e-6) < 0.9


def test_the_loss_is_the_divergence_along_the_direction_at_length_epsilon(toy) -> None:
    method = trained(toy, epsilon=1.5, xi=0.02, power_steps=2)
    images, target = toy.unlabelled().next(), toy.batches()[1]
    replayed = generator()
    replayed.set_state(method.generator.get_state())
    method.network.train()
    found = method.unlabelled_loss(images, target)

    clean = method.logits(images, target.head).detach()
    start = torch.randn(images.shape, generator=replayed)
    direction = adversarial_direction(
        lambda d: divergence(clean, method.logits(images + d, target.head)), start, 2, 0.02
    )
    p = clean.softmax(1)
    q = method.logits(images + 1.5 * direction, target.head).softmax(1)
    expected = (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(found, expected)
    parameters = list(method.network.trunk.hidden.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(found, parameters), torch.autograd.grad(expected, parameters)
    )


def test_the_loss_is_larger_along_the_direction_than_along_random_ones(toy) -> None:
    method = trained(toy)
    images, target = toy.unlabelled().next(), toy.batches()[1]
    clean = method.logits(images, target.head).detach()
    adversarial = [float(method.unlabelled_loss(images, target).detach()) for _ in range(5)]
    with torch.no_grad():
        noise = [normalise(torch.randn(images.shape, generator=generator(i))) for i in range(5)]
        at_random = [
            float(divergence(clean, method.logits(images + 2.5 * r, target.head))) for r in noise
        ]
    assert min(at_random) >= 0.0
    assert min(adversarial) > 2.0 * max(at_random)


def test_gradients_of_parameters_and_running_statistics_are_left_alone(toy) -> None:
    method = trained(toy)
    method.flat.collect_in(0)
    gradients = method.flat.gradients.clone()
    buffers = {name: value.clone() for name, value in method.network.named_buffers()}
    assert gradients.abs().max() > 0
    method.unlabelled_loss(toy.unlabelled().next(), toy.batches()[1])
    assert torch.equal(method.flat.gradients, gradients)
    for name, value in method.network.named_buffers():
        assert torch.equal(value, buffers[name])


def test_every_step_draws_directions_of_its_own(toy) -> None:
    method, images, target = trained(toy), toy.unlabelled().next(), toy.batches()[1]
    first, second = (float(method.unlabelled_loss(images, target).detach()) for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"epsilon": 0.0}, "epsilon must be positive, found 0.0"),
        ({"xi": -1e-6}, "xi must be positive, found -1e-06"),
        ({"power_steps": 0}, "power_steps must be at least 1, found 0"),
        ({"beta": -1.0}, "beta"),
        ({"unlabelled_weight": -1.0}, "unlabelled_weight must not be negative"),
    ],
)
def test_an_impossible_setting_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        GradMixVATConfig(**setting)
