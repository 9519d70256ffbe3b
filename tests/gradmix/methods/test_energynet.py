"""EnergyNet in our reading: a source-only model trained with three losses on V."""

import pytest
import torch
from torch.nn import functional

from gradmix.alignment.energy import EnergyHead, attention_maps
from gradmix.declarations.methods import METHODS
from gradmix.declarations.methods.energynet import EnergyNetConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.method import copied_state
from gradmix.methods.energynet import EnergyNet
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch

STILL = OptimiserConfig(learning_rate=1e-3, momentum=0.0)


def source_only(toy, steps: int = 5) -> dict[str, torch.Tensor]:
    """Weights of a source-only model."""
    method = toy.method("source_only", toy.map_network())
    for _ in range(steps):
        method.update(toy.batches()[0], None)
    return copied_state(method.network)


def started(toy, name: str = "energynet", **options):
    """A method on these weights."""
    network = toy.map_network(seed=9)
    network.load_state_dict(source_only(toy))
    return toy.method(name, network, **options)


def with_energies(method):
    """The method with energies that are not zero."""
    energy = method.network.heads[TARGET_HEAD].energy
    energy.data.normal_(generator=torch.Generator().manual_seed(4))
    return method


def true_above_wrong(method, batch: Batch) -> float:
    """Mean of E(true class) less the mean energy of the others, in training mode."""
    method.network.train()
    head = method.network.heads[TARGET_HEAD]
    energies = head.read(method.network.trunk(batch.images)).energies.detach()
    own = energies.gather(1, batch.labels[:, None])
    others = (energies.sum(1, keepdim=True) - own) / (energies.shape[1] - 1)
    return float((own - others).mean())


def test_it_starts_from_source_only_reads_v_alone_and_needs_a_map() -> None:
    method = METHODS["energynet"]
    assert method.starts_from == "source_only"
    assert (method.source_scope, method.uses_target, method.uses_unlabelled) == (
        "none",
        True,
        False,
    )
    assert {name for name, entry in METHODS.items() if entry.needs_map} == {"energynet"}


def test_it_says_that_it_is_our_reading() -> None:
    assert "Our reading" in EnergyNet.__doc__
    assert "defaults are ours" in EnergyNetConfig.__doc__


def test_training_starts_from_the_source_only_models_predictions_bit_by_bit(toy) -> None:
    images = toy.hyper_validation().images
    assert torch.equal(started(toy).predict(images), started(toy, "fine_tune").predict(images))


def test_without_the_two_losses_the_first_step_is_fine_tunings(toy) -> None:
    mine = started(toy, energy_weight=0.0, triplet_weight=0.0)
    plain = started(toy, "fine_tune")
    figures = mine.update([], toy.batches()[1])
    assert figures["loss/V"] == plain.update([], toy.batches()[1])["loss/V"]
    found = mine.network.state_dict()
    for name, value in plain.network.state_dict().items():
        torch.testing.assert_close(found[name], value)
    # The energies also learn from the cross entropy.
    assert mine.network.heads[TARGET_HEAD].energy.any()


def test_the_step_follows_the_weighted_sum_of_the_three_losses(toy) -> None:
    settings = {"energy_weight": 0.7, "energy_margin": 0.9, "triplet_weight": 0.4}
    method = with_energies(started(toy, optimiser=STILL, triplet_margin=2.0, **settings))
    network = with_energies(started(toy)).network
    batch, head = toy.batches()[1], network.heads[TARGET_HEAD]

    found = network.train().trunk(batch.images)
    maps = attention_maps(found, head.weight).flatten(2)
    embeddings = head.embedding(maps / maps.norm(dim=2, keepdim=True)).relu()
    energies = embeddings @ head.energy
    logits = found.mean((2, 3)) @ head.weight.T + head.bias + energies
    plain = functional.cross_entropy(logits, batch.labels)
    of_true = torch.stack([e[c] for e, c in zip(embeddings, batch.labels, strict=True)])
    hinges, hinges_of_three = [], []
    for i, label in enumerate(batch.labels.tolist()):
        wrong = max((c for c in range(3) if c != label), key=lambda c: float(logits[i, c].detach()))
        hinges.append((0.9 - energies[i, label] + energies[i, wrong]).clamp_min(0.0))
        # V has two samples of every class.
        away = (embeddings[i, label] - of_true).norm(dim=1)
        same = [away[j] for j, c in enumerate(batch.labels) if c == label and j != i]
        others = [away[j] for j, c in enumerate(batch.labels) if c != label]
        hinges_of_three.append((2.0 + max(same) - min(others)).clamp_min(0.0))
    energy, triplet = torch.stack(hinges).mean(), torch.stack(hinges_of_three).mean()
    assert min(float(energy.detach()), float(triplet.detach())) > 0.0
    (plain + 0.7 * energy + 0.4 * triplet).backward()

    figures = method.update([], batch)
    assert list(figures) == ["loss/V", "energy", "triplet"]
    expected = [float(value.detach()) for value in (plain, energy, triplet)]
    assert list(figures.values()) == pytest.approx(expected, rel=1e-3)
    for name, parameter in network.named_parameters():
        gradient = torch.zeros(()) if parameter.grad is None else parameter.grad
        moved = method.network.get_parameter(name).detach()
        expected = parameter.detach() - 1e-3 * gradient
        torch.testing.assert_close(moved, expected, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("loss", [1, 2], ids=["energy", "triplet"])
def test_either_loss_reaches_the_trunk_and_the_linear_weights_by_the_maps(toy, loss) -> None:
    method = with_energies(started(toy, triplet_margin=2.0))
    batch = toy.batches()[1]
    method.network.train()
    head = method.network.heads[TARGET_HEAD]
    reading = head.read(method.network.feature_map(batch.images))
    parameters = [*method.network.trunk.parameters(), head.weight, *head.embedding.parameters()]
    value = method.losses(reading, batch.labels)[loss]
    assert all(gradient.any() for gradient in torch.autograd.grad(value, parameters))


def test_maps_of_the_true_class_come_to_have_the_higher_energy(toy) -> None:
    method, batch = started(toy, triplet_margin=1.0), toy.batches()[1]
    assert true_above_wrong(method, batch) == 0.0
    figures = [method.update([], batch) for _ in range(30)]
    assert true_above_wrong(method, batch) > 1.0
    assert figures[0]["energy"] == 1.0
    assert figures[-1]["energy"] < 0.1
    assert figures[-1]["triplet"] < 0.5 * figures[0]["triplet"]


def test_statistics_are_updated_as_in_fine_tuning(toy) -> None:
    mine, plain = started(toy), started(toy, "fine_tune")
    before = copied_state(plain.network)
    for method in (mine, plain):
        # A validation leaves the network in eval mode.
        method.predict(toy.hyper_validation().images)
        method.update([], toy.batches()[1])
    for name, value in plain.network.named_buffers():
        assert torch.equal(mine.network.get_buffer(name), value)
        assert not torch.equal(value, before[name])


def test_v_with_one_sample_per_class_has_no_triplets_and_is_learnt_all_the_same(toy) -> None:
    method, batch = started(toy), toy.batches()[1]
    one = Batch(batch.images[::2], batch.labels[::2], batch.head)
    figures = [method.update([], one) for _ in range(20)]
    assert {row["triplet"] for row in figures} == {0.0}
    assert figures[-1]["loss/V"] < 0.5 * figures[0]["loss/V"]


def test_a_fresh_network_predicts_with_the_trained_state_once_adapted(toy) -> None:
    method = started(toy)
    for _ in range(3):
        method.update([], toy.batches()[1])
    fresh = toy.method("energynet", toy.map_network(seed=7))
    fresh.network.load_state_dict(method.state_dict()["network"])
    assert isinstance(fresh.network.heads[TARGET_HEAD], EnergyHead)
    images = toy.hyper_validation().images
    assert torch.equal(fresh.predict(images), method.predict(images))


def test_a_trunk_that_does_not_end_in_a_map_is_refused_in_one_line(toy) -> None:
    with pytest.raises(ValueError, match=r"ends in a map .*, found \[16\]; choose .*hidden = 0"):
        toy.method("energynet", toy.network())


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"energy_weight": -0.1}, r"energy_weight must not be negative, found -0\.1"),
        ({"triplet_weight": float("nan")}, "triplet_weight must not be negative, found nan"),
        ({"energy_margin": 0.0}, r"energy_margin must be positive, found 0\.0"),
        ({"triplet_margin": -1.0}, r"triplet_margin must be positive, found -1\.0"),
    ],
)
def test_an_impossible_setting_is_refused(toy, setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        toy.method("energynet", toy.map_network(), **setting)
