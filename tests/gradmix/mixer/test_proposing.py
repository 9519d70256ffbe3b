"""Sampling mode: probabilities for the sources, equal to the mixture in the limit."""

import copy

import pytest
import torch
from torch import nn

from gradmix import Mixer

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def flat(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def test_a_batch_drawn_as_proposed_has_the_mixed_gradient_in_the_limit(
    small_net, batches, loop
) -> None:
    """The mean gradient of n samples drawn with the probabilities approaches the mixture."""
    model, data = small_net(torch.float64).eval(), batches(0, torch.float64)
    # The target's samples are those of both sources: 6 and 5 of 11.
    data[2] = tuple(torch.cat(both) for both in zip(*data[:2], strict=True))
    mine = loop(model, grouping="model")
    mine.mixed(data)
    mixed = flat(model)
    model.zero_grad()
    mine.passes(data)
    found = mine.mixer.propose()
    assert found.probabilities == pytest.approx({"web": 6 / 11, "sport": 5 / 11})
    assert found.cosine == pytest.approx(1.0)
    probabilities = torch.tensor([*found.probabilities.values()], dtype=torch.float64)

    of_sources = []
    for batch in data[:2]:
        model.zero_grad()
        mine.backward(batch)
        of_sources.append(flat(model))
    # In the limit exactly: the expectation over sources and their samples.
    torch.testing.assert_close(probabilities @ torch.stack(of_sources), mixed, **EXACT)

    generator = torch.Generator().manual_seed(0)
    errors = []
    for drawn in (100, 10000):
        counts = torch.multinomial(probabilities, drawn, replacement=True, generator=generator)
        images, labels = zip(*(data[i] for i in range(2)), strict=True)
        picked = [torch.randint(len(labels[i]), (1,), generator=generator).item() for i in counts]
        batch = (
            torch.stack([images[i][j] for i, j in zip(counts, picked, strict=True)]),
            torch.stack([labels[i][j] for i, j in zip(counts, picked, strict=True)]),
        )
        model.zero_grad()
        mine.backward(batch)
        errors.append((flat(model) - mixed).norm() / mixed.norm())
    assert errors[1] < 0.05
    assert errors[1] < 0.3 * errors[0]


def test_proposing_leaves_gradients_and_optimisers_alone(small_net, batches, loop) -> None:
    model = small_net()
    model.first.weight.grad = kept = torch.ones_like(model.first.weight)
    mine = loop(model)
    mine.passes(batches())
    mine.mixer.propose()
    assert model.first.weight.grad is kept
    assert model.second.weight.grad is None
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = []
    optimizer.register_step_pre_hook(lambda o, *_: seen.append(o.param_groups[0]["lr"]))
    optimizer.step()
    assert seen == [0.1]


def test_the_last_layer_alone_is_a_proposal_of_its_own(small_net, batches, gradients) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    of_last = [gradients(copy.deepcopy(model), batch) for batch in data]
    rows = torch.stack([torch.cat([g["last.weight"].flatten(), g["last.bias"]]) for g in of_last])
    from gradmix import mixing_weights

    expected = mixing_weights(rows[:2], rows[2])
    mixer = Mixer(model, ["web", "sport"], only=["last"])
    contexts = [mixer.source("web"), mixer.source("sport"), mixer.target()]
    for context, (images, labels) in zip(contexts, data, strict=True):
        with context:
            features = torch.relu(model.second(torch.relu(model.norm(model.first(images)))))
            assert not features.requires_grad, "nothing below the last layer is differentiated"
            nn.functional.cross_entropy(model.last(features.flatten(1)), labels).backward()
    found = mixer.propose()
    assert [*found.probabilities.values()] == pytest.approx(expected.tolist())
    assert model.first.weight.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_only_some_parameters_are_mixed_and_the_others_get_nothing(
    small_net, batches, loop
) -> None:
    model = small_net()
    kept = model.first.weight.grad = torch.ones_like(model.first.weight)
    assert list(loop(model, only=["second.*", "last"]).mixed(batches()).weights) == [
        "second", "last",
    ]  # fmt: skip
    assert model.first.weight.grad is kept
    assert model.norm.weight.grad is None
    assert model.second.weight.grad is not None


def test_a_floor_keeps_every_source_in_sight(small_net, batches, loop) -> None:
    mine = loop(small_net())
    sources, target = batches()[:2], batches()[0]
    mine.passes([*sources, target])
    # The target is the first source's own batch.
    assert mine.mixer.propose().probabilities == pytest.approx({"web": 1.0, "sport": 0.0}, abs=0.05)
    mine.passes([*sources, target])
    found = mine.mixer.propose(floor=0.2).probabilities
    assert found == pytest.approx({"web": 0.8, "sport": 0.2}, abs=0.05)
    assert sum(found.values()) == pytest.approx(1.0)


def test_smoothing_remembers_dot_products_and_is_part_of_the_state(
    small_net, batches, loop
) -> None:
    model = small_net().eval()

    def proposals(mixer_loop, *seeds) -> list[float]:
        found = []
        for seed in seeds:
            mixer_loop.passes(batches(seed))
            found.append(mixer_loop.mixer.propose(smoothing=0.9).probabilities["web"])
        return found

    first, second = loop(model), loop(model)
    both = proposals(first, 0, 1)
    alone = proposals(second, 1)
    assert both[1] != pytest.approx(alone[0])
    third = loop(model)
    third.mixer.load_state_dict(first.mixer.state_dict())
    assert proposals(third, 2) == proposals(first, 2)
