"""Attention maps, their energies and the two losses, by hand and against references."""

import itertools

import pytest
import torch

from gradmix.alignment.energy import (
    SMALLEST_LENGTH,
    EnergyHead,
    add_energy_head,
    attention_maps,
    energy_loss,
    triplet_loss,
)
from gradmix.networks import LinearHead
from gradmix.problem import TARGET_HEAD


def maps(count: int = 4) -> torch.Tensor:
    """[B, 5, 2, 3]."""
    return torch.randn(count, 5, 2, 3, generator=torch.Generator().manual_seed(1))


def head_of(classes: int = 3) -> EnergyHead:
    """A head after some training, with non-zero energies."""
    generator = torch.Generator().manual_seed(2)
    head = EnergyHead(LinearHead(5, classes), 6, generator)
    head.energy.data.normal_(generator=generator)
    return head


def test_an_attention_map_is_the_weighted_sum_of_the_features() -> None:
    found = torch.tensor([[[[1.0, 2.0]], [[0.0, -1.0]]]])
    weight = torch.tensor([[3.0, 1.0], [0.0, -2.0]])
    expected = torch.tensor([[[[3.0, 5.0]], [[0.0, 2.0]]]])
    torch.testing.assert_close(attention_maps(found, weight), expected)


def test_the_mean_of_an_attention_map_and_the_bias_are_the_linear_logit() -> None:
    linear, found = LinearHead(5, 3), maps()
    means = attention_maps(found, linear.weight).mean((2, 3))
    torch.testing.assert_close(means + linear.bias, linear(found))


def test_a_head_adds_to_every_logit_the_energy_of_the_classs_map() -> None:
    head, found = head_of(), maps()
    logits, energies, embeddings = head.read(found)
    for sample, c in itertools.product(range(4), range(3)):
        places = (head.weight[c, :, None, None] * found[sample]).sum(0).flatten()
        hidden = head.embedding.weight @ (places / places.norm()) + head.embedding.bias
        expected = hidden.clamp_min(0.0)
        torch.testing.assert_close(embeddings[sample, c], expected)
        energy = (expected * head.energy).sum()
        torch.testing.assert_close(energies[sample, c], energy)
        plain = head.weight[c] @ found[sample].mean((1, 2)) + head.bias[c]
        torch.testing.assert_close(logits[sample, c], plain + energy)
    assert torch.equal(head(found), logits)
    assert energies.abs().max() > 0.1


def test_where_a_class_is_seen_counts_and_not_how_strongly() -> None:
    head, found = head_of(), maps()
    energies = head.read(found).energies
    torch.testing.assert_close(head.read(7.0 * found).energies, energies)
    assert not torch.allclose(head.read(found.flip(3)).energies, energies)


def test_all_classes_share_one_energy_function() -> None:
    head, found, order = head_of(), maps(), torch.tensor([2, 0, 1])
    energies = head.read(found).energies
    head.weight.data = head.weight.data[order]
    torch.testing.assert_close(head.read(found).energies, energies[:, order])
    own = [
        {name: value.shape for name, value in head_of(classes).named_parameters()}
        for classes in (3, 40)
    ]
    assert {name for name in own[0] if own[0][name] != own[1][name]} == {"weight", "bias"}


def test_a_blank_map_stays_blank_and_gradients_of_faint_ones_stay_small() -> None:
    head = head_of()
    found = torch.zeros(1, 5, 2, 3, requires_grad=True)
    reading = head.read(found)
    expected = head.embedding.bias.relu().expand(1, 3, -1)
    torch.testing.assert_close(reading.embeddings, expected)
    reading.energies.sum().backward()
    assert found.grad.isfinite().all()
    assert found.grad.abs().max() < 1e2 / SMALLEST_LENGTH


def test_the_head_goes_on_with_the_parameters_of_the_linear_one(toy) -> None:
    network = toy.map_network()
    linear, other = network.heads[TARGET_HEAD], network.heads["far"]
    images = toy.batches()[1].images
    before = network.eval()(images, TARGET_HEAD)
    add_energy_head(network)
    head = network.heads[TARGET_HEAD]
    assert head.weight is linear.weight
    assert head.bias is linear.bias
    assert network.heads["far"] is other
    assert torch.equal(network(images, TARGET_HEAD), before)


def test_first_weights_follow_torchs_seed_and_do_not_draw_from_its_generator(toy) -> None:
    found = []
    for seed in (0, 0, 1):
        network = toy.map_network().double()
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        add_energy_head(network)
        assert torch.equal(torch.get_rng_state(), state)
        found.append(network.heads[TARGET_HEAD].embedding.weight)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    # Uniform within 1 / sqrt(2 * 2 places), in the network's dtype.
    assert 0.4 < found[0].abs().max() <= 0.5
    assert found[0].dtype == torch.float64


ENERGIES = torch.tensor([[1.0, 0.2, 0.7], [0.5, 1.2, -1.0]])
LOGITS = torch.tensor([[3.0, 1.0, 2.0], [0.0, 1.0, 4.0]])


def test_the_energy_loss_by_hand() -> None:
    """The wrong classes with the largest logits are 2 and 2: (1 - 1 + .7, 1 - 1.2 - 1 < 0)."""
    energies, logits = ENERGIES.clone().requires_grad_(), LOGITS.clone().requires_grad_()
    value = energy_loss(energies, logits, torch.tensor([0, 1]), 1.0)
    assert float(value.detach()) == pytest.approx(0.7 / 2)
    value.backward()
    expected = torch.tensor([[-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(energies.grad, expected)
    assert logits.grad is None


def test_the_energy_loss_is_zero_from_the_margin_on() -> None:
    energies, labels = torch.tensor([[2.0, 1.0]]), torch.tensor([0])
    values = [float(energy_loss(energies, energies, labels, margin)) for margin in (0.5, 1.0, 1.5)]
    assert values == [0.0, 0.0, 0.5]
    assert float(energy_loss(energies, energies, 1 - labels, 1.0)) == 2.0


ON_A_LINE = torch.tensor([0.0, 1.0, -1.0, 3.0, 3.5, 10.0])[:, None]
CLASSES = torch.tensor([0, 0, 0, 1, 1, 2])


def test_the_triplet_loss_by_hand() -> None:
    """Margin 2: (2+1-3, 2+2-2, 2+2-4, 2+.5-2, 2+.5-2.5) = (0, 2, 0, .5, 0); the last is alone."""
    found = float(triplet_loss(ON_A_LINE, CLASSES, 2.0))
    assert found == pytest.approx(2.5 / 5, abs=1e-4)


def test_the_triplet_loss_equals_the_textbook_over_all_triplets() -> None:
    generator = torch.Generator().manual_seed(3)
    embeddings = torch.randn(12, 4, generator=generator).requires_grad_()
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 3, 1])
    total, kept = torch.zeros(()), 0
    for anchor in range(12):
        away = [(embeddings[anchor] - other).norm() for other in embeddings]
        same = [away[i] for i in range(12) if labels[i] == labels[anchor] and i != anchor]
        others = [away[i] for i in range(12) if labels[i] != labels[anchor]]
        if same:
            total = total + (0.7 + max(same) - min(others)).clamp_min(0.0)
            kept += 1
    assert kept == 11
    found = triplet_loss(embeddings, labels, 0.7)
    torch.testing.assert_close(found, total / kept, atol=1e-4, rtol=1e-4)
    gradients = [torch.autograd.grad(value, embeddings)[0] for value in (found, total / kept)]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("labels", [[0, 1, 2], [1, 1, 1], [2]])
def test_without_a_pair_to_compare_the_triplet_loss_is_zero(labels) -> None:
    embeddings = ON_A_LINE[: len(labels)].clone().requires_grad_()
    value = triplet_loss(embeddings, torch.tensor(labels), 2.0)
    value.backward()
    assert float(value.detach()) == 0.0
    assert not embeddings.grad.any()


def test_equal_embeddings_have_the_margin_for_a_loss_and_a_finite_gradient() -> None:
    embeddings = torch.ones(4, 3, requires_grad=True)
    value = triplet_loss(embeddings, torch.tensor([0, 0, 1, 1]), 0.5)
    value.backward()
    assert float(value.detach()) == pytest.approx(0.5)
    assert embeddings.grad.isfinite().all()
