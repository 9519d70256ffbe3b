"""GradMix with MixMatch: guesses, mixtures, the ramp and the loss."""

import pytest
import torch
from torch.nn import functional

from gradmix.declarations.methods.gradmix_mixmatch import GradMixMixMatchConfig
from gradmix.methods.gradmix_mixmatch import distributions, sharpened
from gradmix.sampling import Batch
from gradmix.unlabelled.augmentation import weak

UNMIXED = {"temperature": 1.0, "alpha": 1e-6, "ramp": 0.0, "consistency_weight": 7.0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def replay(method) -> torch.Generator:
    again = generator()
    again.set_state(method.generator.get_state())
    return again


def entropy(p: torch.Tensor) -> torch.Tensor:
    return -(p * p.log()).sum(1)


def made(toy, **settings):
    """A method whose predictions depend on the image but not on the rest of the batch."""
    method = toy.method("gradmix_mixmatch", network=toy.network(norm="none"), **settings)
    with torch.no_grad():
        method.network.heads["target"].weight.mul_(300.0)
    method.network.train()
    return method


def test_without_sharpening_and_mixing_it_is_cross_entropy_and_squared_error(toy) -> None:
    method, images, target = made(toy, **UNMIXED), toy.unlabelled().next(), toy.batches()[1]
    views = weak(torch.cat([target.images, images, images]), replay(method))
    found = method.unlabelled_loss(images, target)

    x, first, second = views.split([len(target.images), len(images), len(images)])
    p1, p2 = (method.logits(view, target.head).softmax(1) for view in (first, second))
    q = ((p1 + p2) / 2.0).detach()
    supervised = functional.cross_entropy(method.logits(x, target.head), target.labels)
    samples, classes = q.shape
    consistency = ((p1 - q).square().sum() + (p2 - q).square().sum()) / (2 * samples * classes)
    assert float(consistency.detach()) > 1e-3
    expected = supervised + 7.0 * consistency
    torch.testing.assert_close(found, expected)
    parameters = list(method.network.trunk.hidden.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(found, parameters), torch.autograd.grad(expected, parameters)
    )


def test_views_of_photographs_are_mirrored_where_it_is_asked_for(toy) -> None:
    """Unmixed, V's half of the loss is the cross entropy of mirrored and shifted images."""
    settings = {**UNMIXED, "consistency_weight": 0.0, "flip": True}
    method, images, target = made(toy, **settings), toy.unlabelled().next(), toy.batches()[1]
    views = torch.cat([target.images, images, images])
    x = weak(views, replay(method), flip=True)[: len(target.images)]
    expected = functional.cross_entropy(method.logits(x, target.head), target.labels)
    other = made(toy, **{**settings, "flip": False})
    torch.testing.assert_close(method.unlabelled_loss(images, target), expected)
    assert not torch.allclose(other.unlabelled_loss(images, target), expected)


def test_sharpening_squares_at_one_half_keeps_the_sum_and_lowers_the_entropy() -> None:
    p = torch.rand(20, 5, generator=generator()) + 0.01
    p /= p.sum(1, keepdim=True)
    found = sharpened(p, 0.5)
    torch.testing.assert_close(found, p.square() / p.square().sum(1, keepdim=True))
    torch.testing.assert_close(found.sum(1), torch.ones(20))
    assert (entropy(found) < entropy(p)).all()
    torch.testing.assert_close(sharpened(p, 1.0), p)
    certain = torch.tensor([[1.0, 0.0, 0.0]])
    torch.testing.assert_close(sharpened(certain, 0.5), certain)


def test_a_guess_is_the_sharpened_mean_over_both_views_and_carries_no_gradient(toy) -> None:
    method, images = made(toy, temperature=0.25), toy.unlabelled().next()
    views = torch.cat([images, images.flip(2)])
    found = method.guesses(views, "target")
    p1, p2 = (method.logits(half, "target").softmax(1) for half in views.chunk(2))
    expected = ((p1 + p2) / 2.0) ** 4
    torch.testing.assert_close(found, expected / expected.sum(1, keepdim=True))
    assert not found.requires_grad


def test_every_sample_keeps_at_least_one_half_and_has_a_share_of_its_own(toy) -> None:
    shares = made(toy).shares(500)
    assert float(shares.min()) >= 0.5
    assert float(shares.max()) <= 1.0
    assert len(set(shares.tolist())) > 490
    # The mean of max(x, 1 - x) under Beta(.75, .75) is .786.
    assert float(shares.mean()) == pytest.approx(0.786, abs=0.02)


def test_the_larger_alpha_the_more_is_mixed(toy) -> None:
    means = [float(made(toy, alpha=alpha).shares(500).mean()) for alpha in (1e-6, 0.2, 2.0, 50.0)]
    assert means == sorted(means, reverse=True)
    assert means[0] == 1.0
    assert means[-1] < 0.56


def test_images_and_labels_are_mixed_with_the_same_partner_and_share(toy) -> None:
    method = made(toy)
    images, labels = torch.eye(40)[:, None, None, :], torch.eye(40)
    mixed, mixed_labels = method.mixtures(images, labels)
    torch.testing.assert_close(mixed[:, 0, 0], mixed_labels)
    torch.testing.assert_close(mixed_labels.sum(1), torch.ones(40))
    own = mixed_labels.diagonal()
    assert (own >= 0.5).all()
    partners = (mixed_labels - torch.diag(own)).argmax(1)
    mixed_ones = own < 1.0
    assert int(mixed_ones.sum()) > 30
    assert len(set(partners[mixed_ones].tolist())) == int(mixed_ones.sum())


def test_labelled_samples_meet_unlabelled_ones(toy) -> None:
    """The partner can be any sample of the whole batch."""
    method, labels = made(toy), torch.eye(40)
    crossed = 0.0
    for _ in range(5):
        _, mixed = method.mixtures(labels[:, None, None, :], labels)
        crossed += float(mixed[:10, 10:].sum())
    assert crossed > 2.0


@pytest.mark.parametrize(
    ("progress", "ramp", "weight"),
    [(0.0, 0.4, 0.0), (0.1, 0.4, 2.5), (0.4, 0.4, 10.0), (0.9, 0.4, 10.0), (0.0, 0.0, 10.0)],
)
def test_the_weight_ramps_linearly_over_its_share_of_the_training(
    toy, progress, ramp, weight
) -> None:
    method = made(toy, ramp=ramp)
    method.progress = progress
    assert method.ramped_weight() == pytest.approx(weight)


def test_the_ramp_weighs_the_squared_error_alone(toy) -> None:
    images, target = toy.unlabelled().next(), toy.batches()[1]
    losses = []
    for progress in (0.0, 0.25, 0.5):
        method = made(toy, ramp=0.5)
        method.progress = progress
        losses.append(float(method.unlabelled_loss(images, target).detach()))
    assert losses[0] > 0.0
    assert losses[2] > losses[1] > losses[0]
    assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=1e-4)


def test_labels_may_be_distributions(toy) -> None:
    like = torch.zeros(1, 3)
    torch.testing.assert_close(distributions(torch.tensor([2, 0]), like), torch.eye(3)[[2, 0]])
    images, target = toy.unlabelled().next(), toy.batches()[1]
    as_rows = Batch(target.images, distributions(target.labels, like), target.head)
    first, second = (made(toy).unlabelled_loss(images, batch) for batch in (target, as_rows))
    assert torch.equal(first, second)


def test_running_statistics_are_updated_once_per_step_by_the_mixtures(toy) -> None:
    method = toy.method("gradmix_mixmatch")
    method.network.train()
    images, target = toy.unlabelled().next(), toy.batches()[1]
    norm = method.network.trunk.features[1]
    method.unlabelled_loss(images, target)
    assert int(norm.num_batches_tracked) == 1


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"temperature": 0.0}, "temperature must be positive, found 0.0"),
        ({"alpha": 0.0}, "alpha must be positive, found 0.0"),
        ({"consistency_weight": -1.0}, "consistency_weight must not be negative, found -1.0"),
        ({"ramp": -0.1}, r"ramp must be in \[0, 1\], found -0.1"),
        ({"ramp": 1.5}, r"ramp must be in \[0, 1\], found 1.5"),
    ],
)
def test_an_impossible_setting_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        GradMixMixMatchConfig(**setting)
