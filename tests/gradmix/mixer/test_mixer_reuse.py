"""Weights used for several steps; types, memory, compiled models and states."""

import copy

import pytest
import torch
from torch import nn

from gradmix import Mixer
from tests.gradmix.mixer.states import EXACT


def test_weights_are_used_for_some_steps(small_net, batches, loop) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mine = loop(model, every=3)
    steps, due = [], []
    for seed in range(6):
        optimizer.zero_grad()
        due.append(mine.mixer.due)
        *sources, target = batches(seed)
        for name, batch in zip(mine.mixer.sources, sources, strict=True):
            with mine.mixer.source(name):
                mine.backward(batch)
        if mine.mixer.due:
            with mine.mixer.target():
                mine.backward(target)
        steps.append(mine.mixer.mix())
        optimizer.step()
    assert due == [True, False, False] * 2
    assert steps[0].layers == steps[1].layers == steps[2].layers != steps[3].layers
    assert steps[0].eta == steps[2].eta


def test_weights_in_use_mix_the_gradients_of_today(small_net, batches, gradients, loop) -> None:
    model = small_net(torch.float64)
    mine = loop(model, every=2)
    mine.mixed(batches(0, torch.float64))
    model.zero_grad()
    data = batches(1, torch.float64)
    today = [gradients(copy.deepcopy(model), batch)["second.weight"] for batch in data]
    weights = [*mine.mixed(data).weights["second"].values()]
    expected = weights[0] * today[0] + weights[1] * today[1]
    torch.testing.assert_close(model.second.weight.grad, expected, **EXACT)


def test_other_layers_need_other_weights(small_net, batches, loop) -> None:
    model = small_net()
    mine = loop(model, every=10)
    mine.mixed(batches())
    assert not mine.mixer.due
    model.first.requires_grad_(requires_grad=False)
    model.norm.requires_grad_(requires_grad=False)
    assert mine.mixer.due


def test_channels_last_stays_channels_last(small_net, batches, loop) -> None:
    plain = small_net(torch.float64)
    model = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    data = batches(0, torch.float64)
    steps = [loop(m).mixed(data) for m in (plain, model)]
    gradient = model.second.weight.grad
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    assert not gradient.is_contiguous()
    torch.testing.assert_close(gradient, plain.second.weight.grad, **EXACT)
    assert steps[0].rho == pytest.approx(steps[1].rho)


def test_bfloat16_models_are_mixed_by_dot_products_in_single_precision(
    small_net, batches, loop
) -> None:
    plain, data = small_net(), batches()
    model = copy.deepcopy(plain).bfloat16()
    expected = loop(plain).mixed(data)
    found = loop(model).mixed([(images.bfloat16(), labels) for images, labels in data])
    assert model.second.weight.grad.dtype == torch.bfloat16
    assert found.rho == pytest.approx(expected.rho, abs=0.05)
    torch.testing.assert_close(
        model.second.weight.grad.float(), plain.second.weight.grad, rtol=0.2, atol=0.02
    )


def test_a_model_of_several_types_is_mixed(small_net, batches, loop) -> None:
    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.last = nn.Linear(128, 4).bfloat16(), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.trunk(x.flatten(1).bfloat16()).float())

    model = Cast()
    step = loop(model, grouping="model").mixed(batches())
    assert list(step.weights) == ["trunk"]
    assert model.trunk.weight.grad.dtype == torch.bfloat16
    assert model.last.weight.grad.dtype == torch.float32


def test_gradients_in_main_memory_make_the_same_step(small_net, batches, loop) -> None:
    model = small_net()
    steps = []
    for memory in ("device", "cpu"):
        model.zero_grad()
        steps.append((loop(model, memory=memory).mixed(batches()), model.first.weight.grad))
    assert steps[0][0].layers == steps[1][0].layers
    assert torch.equal(steps[0][1], steps[1][1])


def test_large_parameters_are_looked_at_in_pieces(monkeypatch, small_net, batches, loop) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    step = loop(model).mixed(data)
    expected = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    monkeypatch.setattr("gradmix.mixer.parameter_rows.CPU_CHUNK", 7)
    pieces = loop(model).mixed(data)
    assert pieces.rho == pytest.approx(step.rho)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], **EXACT)


@pytest.mark.slow
def test_a_compiled_model_is_mixed_under_its_own_names(small_net, batches, by_hand) -> None:
    model, data = small_net(torch.float64), batches(0, torch.float64)
    expected = by_hand(copy.deepcopy(model), data)
    compiled = torch.compile(model, backend="aot_eager")
    mixer = Mixer(compiled, ["web", "sport"])
    before = model.norm.num_batches_tracked.item()
    for name, (images, labels) in zip(mixer.sources, data, strict=False):
        with mixer.source(name):
            nn.functional.cross_entropy(compiled(images), labels).backward()
    with mixer.target():
        nn.functional.cross_entropy(compiled(data[2][0]), data[2][1]).backward()
    assert list(mixer.mix().weights) == ["first", "second", "last"]
    assert model.norm.num_batches_tracked == before + 2
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-7, atol=1e-10)


def test_a_state_goes_on_where_it_was_taken(small_net, batches, loop, tmp_path) -> None:
    model = small_net()
    mine = loop(model, every=3)
    for seed in range(4):
        model.zero_grad()
        mine.mixed(batches(seed))
    model.zero_grad()
    torch.save(mine.mixer.state_dict(), tmp_path / "mixer.pt")
    other = loop(model, every=3)
    other.mixer.load_state_dict(torch.load(tmp_path / "mixer.pt", weights_only=True))
    assert not other.mixer.due
    assert other.mixed(batches(5)).layers == mine_layers(mine, model, batches(5))


def mine_layers(mine, model, data):
    model.zero_grad()
    return mine.mixed(data).layers
