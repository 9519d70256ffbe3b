"""Unusual parameters: frozen, unused, sparse, tied, shared, and batch norm."""

import copy

import pytest
import torch
from torch import nn

from gradmix import Mixer
from tests.gradmix.mixer.states import EXACT, state_of


def test_frozen_parameters_are_left_out_until_they_are_trained(
    small_net, batches, by_hand, loop
) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    model.first.requires_grad_(requires_grad=False)
    mine = loop(model)
    layers = {"first": ("norm.weight", "norm.bias"), "second": ("second.weight", "second.bias")}
    expected = by_hand(copy.deepcopy(model), data, layers | {"last": ("last.weight", "last.bias")})
    mine.mixed(data)
    for name, parameter in model.named_parameters():
        if name.startswith("first"):
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, expected[name], **EXACT)
    model.zero_grad()
    model.first.requires_grad_()
    expected = by_hand(copy.deepcopy(model), data)
    mine.mixed(data)
    torch.testing.assert_close(model.first.weight.grad, expected["first.weight"], **EXACT)


def test_a_converted_model_goes_on(small_net, batches, loop) -> None:
    model = small_net()
    mine = loop(model)
    mine.mixed(batches())
    model.zero_grad()
    model.double()
    mine.mixed(batches(0, torch.float64))
    assert model.first.weight.grad.dtype == torch.float64


def test_unused_parameters_keep_no_gradient(small_net, batches, loop) -> None:
    model = small_net()
    model.unused = nn.Linear(2, 2)
    before = state_of(model)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.5)
    step = loop(model).mixed(batches())
    optimizer.step()
    assert model.unused.weight.grad is None
    assert torch.equal(model.unused.weight, before["unused.weight"])
    assert step.layers["unused"].regime == "no_target"


def test_a_trunk_parameter_that_only_the_target_reaches_gets_nothing(
    small_net, batches, loop
) -> None:
    model = small_net()
    model.extra = nn.Parameter(torch.zeros(3))
    mine = loop(model)
    data = batches()
    for name, batch in zip(mine.mixer.sources, data, strict=False):
        with mine.mixer.source(name):
            mine.backward(batch)
    with mine.mixer.target():
        nn.functional.cross_entropy(model(data[2][0]) + model.extra, data[2][1]).backward()
    mine.mixer.mix()
    assert model.extra.grad is None


class Tagger(nn.Module):
    """A language model's parts: an embedding, a layer, a last layer."""

    def __init__(self, *, sparse: bool = False, tied: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 4, sparse=sparse)
        self.hidden = nn.Linear(4, 4)
        self.last = nn.Linear(4, 50, bias=False)
        if tied:
            self.last.weight = self.embed.weight

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.hidden(self.embed(words)))).flatten(0, 1)


def words(seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    # The sources share some words, and each has words of its own.
    return [
        (torch.randint(low, low + 12, (3, 5), generator=generator), torch.arange(15))
        for low in (0, 6, 3)
    ]


def test_sparse_gradients_stay_sparse_and_equal_dense_ones(loop) -> None:
    sparse, dense = Tagger(sparse=True).double(), Tagger().double()
    dense.load_state_dict(sparse.state_dict())
    steps = [loop(model).mixed(words()) for model in (sparse, dense)]
    assert sparse.embed.weight.grad.is_sparse
    torch.testing.assert_close(
        sparse.embed.weight.grad.to_dense(), dense.embed.weight.grad, **EXACT
    )
    for layer, solution in steps[0].layers.items():
        assert solution.weights == pytest.approx(steps[1].layers[layer].weights)


def test_sparse_gradients_train_by_an_optimiser_for_them(loop) -> None:
    model = Tagger(sparse=True)
    before = model.embed.weight.detach().clone()
    sparse = torch.optim.SparseAdam([model.embed.weight])
    mine = loop(model, v_trains_trunk=True)
    for _ in range(2):
        model.zero_grad()
        mine.mixed(words())
        sparse.step()
    moved = (model.embed.weight != before).any(1)
    assert 0 < moved.sum() < 50


def test_a_tied_parameter_is_one_of_the_trunk(loop) -> None:
    model = Tagger(tied=True).double()
    step = loop(model, heads=["last"]).mixed(words())
    assert list(step.weights) == ["embed", "hidden"]
    whole = loop(model)
    model.zero_grad()
    assert list(whole.mixed(words()).weights) == ["embed", "hidden"]


def test_a_sparse_gradient_and_a_dense_one_of_a_tied_parameter_add_up(loop) -> None:
    both, dense = Tagger(sparse=True, tied=True).double(), Tagger(tied=True).double()
    dense.load_state_dict(both.state_dict())
    for model in (both, dense):
        loop(model).mixed(words())
    torch.testing.assert_close(both.embed.weight.grad, dense.embed.weight.grad, **EXACT)


def test_modules_outside_the_model_add_up_gradients_as_ever(small_net, batches) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    outside = {name: nn.Linear(3, 2).double() for name in ("web", "sport")}
    mixer = Mixer(model, ["web", "sport"])
    for (name, head), (images, _) in zip(outside.items(), data, strict=False):
        with mixer.source(name):
            head(model(images)).square().mean().backward()
    with mixer.target():
        outside["web"](model(data[2][0])).square().mean().backward()
    mixer.mix()
    expected = sum(
        torch.autograd.grad(
            outside["web"](model(data[i][0])).square().mean(), outside["web"].weight
        )[0]
        for i in (0, 2)
    )
    # Batch norm in training normalises by the batch, so passes can be repeated.
    torch.testing.assert_close(outside["web"].weight.grad, expected, **EXACT)
    assert outside["sport"].weight.grad is not None


def test_batch_norm_is_left_alone_in_the_targets_pass(small_net, batches) -> None:
    model, data = small_net(), batches()
    mixer = Mixer(model, ["web", "sport"])

    def moves(context, updated=None) -> bool:
        before = model.norm.running_mean.clone()
        with context:
            nn.functional.cross_entropy(model(data[0][0]), data[0][1]).backward()
        return not torch.equal(before, model.norm.running_mean)

    assert moves(mixer.source("web"))
    assert not moves(mixer.target())
    assert moves(mixer.source("sport"))
    assert model.norm.track_running_stats
    assert moves(Mixer(model, ["web"], v_updates_statistics=True).target())
