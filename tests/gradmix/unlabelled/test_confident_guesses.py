"""FixMatch's loss: which guesses count, what they train, and what they do not change."""

import pytest
import torch
from torch.nn import functional

from gradmix.unlabelled.augmentation import strong, weak
from gradmix.unlabelled.confident_guesses import confident_loss

GUESSED = torch.tensor([[0.96, 0.03, 0.01], [0.94, 0.03, 0.03], [0.01, 0.01, 0.98]])
LOGITS = torch.tensor([[0.5, 1.0, 0.0], [3.0, 0.0, 1.0], [0.2, 0.1, -1.0]])


def each(labels: list[int]) -> torch.Tensor:
    return functional.cross_entropy(LOGITS, torch.tensor(labels), reduction="none")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_confident_guesses_count_and_the_mean_is_over_all_samples() -> None:
    losses = each([0, 0, 2])
    found = confident_loss(LOGITS, GUESSED.log(), 0.95)
    torch.testing.assert_close(found, (losses[0] + losses[2]) / 3.0)


def test_a_guess_at_the_threshold_counts() -> None:
    even = torch.zeros(3, 2)
    assert float(confident_loss(LOGITS[:, :2], even, 0.5)) > 0.0
    assert float(confident_loss(LOGITS[:, :2], even, 0.500001)) == 0.0


def test_the_higher_the_threshold_the_fewer_guesses_count() -> None:
    losses = [float(confident_loss(LOGITS, GUESSED.log(), at)) for at in (0.9, 0.95, 0.97, 0.99)]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 4
    assert losses[0] == pytest.approx(float(each([0, 0, 2]).mean()))


def test_without_a_confident_guess_loss_and_gradient_are_zero() -> None:
    logits = (1e4 * LOGITS).requires_grad_()
    found = confident_loss(logits, GUESSED.log(), 0.99)
    found.backward()
    assert float(found.detach()) == 0.0
    assert torch.equal(logits.grad, torch.zeros(3, 3))


def test_no_gradient_goes_through_the_guess() -> None:
    guessed, logits = GUESSED.log().requires_grad_(), LOGITS.clone().requires_grad_()
    confident_loss(logits, guessed, 0.95).backward()
    assert guessed.grad is None
    expected = (LOGITS.softmax(1) - torch.eye(3)[[0, 0, 2]]) / 3.0
    expected[1] = 0.0
    torch.testing.assert_close(logits.grad, expected)


@pytest.mark.parametrize("name", ["fixmatch", "gradmix_fixmatch"])
@pytest.mark.parametrize("flip", [False, True])
def test_strong_views_learn_what_weak_ones_predict(toy, name, flip) -> None:
    method = toy.method(name, threshold=0.36, flip=flip)
    images, target = toy.unlabelled().next(), toy.batches()[1]
    replayed = generator()
    replayed.set_state(method.generator.get_state())
    method.network.train()
    found = method.unlabelled_loss(images, target)
    with torch.no_grad():
        guessed = method.logits(weak(images, replayed, flip=flip), target.head)
    logits = method.logits(strong(images, replayed, flip=flip), target.head)
    expected = confident_loss(logits, guessed, 0.36)
    assert 0 < int((guessed.softmax(1).amax(1) >= 0.36).sum()) < len(images)
    torch.testing.assert_close(found, expected)
    parameters = list(method.network.trunk.hidden.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(found, parameters), torch.autograd.grad(expected, parameters)
    )


@pytest.mark.parametrize("name", ["fixmatch", "gradmix_fixmatch"])
def test_running_statistics_are_left_alone(toy, name) -> None:
    method = toy.method(name)
    before = {name: value.clone() for name, value in method.network.named_buffers()}
    method.network.train()
    method.unlabelled_loss(toy.unlabelled().next(), toy.batches()[1])
    for key, value in method.network.named_buffers():
        assert torch.equal(value, before[key])
