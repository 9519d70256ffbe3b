"""Learning rates in real loops: any optimiser, schedulers, several optimisers."""

import copy
import gc

import pytest
import torch
from torch import nn
from torch.optim import optimizer as optimizer_hooks

from gradmix import Mixer
from tests.gradmix.mixer.states import EXACT, state_of

OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "tensor rate": lambda p: torch.optim.Adam(p, lr=torch.tensor(0.01), foreach=False),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_eta_scales_the_learning_rate_of_any_optimiser(
    name, small_net, batches, by_hand, loop
) -> None:
    model = small_net(torch.float64)
    plain = copy.deepcopy(model)
    optimizer, other = (OPTIMISERS[name](m.parameters()) for m in (model, plain))
    rate = float(other.param_groups[0]["lr"])
    mine = loop(model)
    for seed in range(3):
        data = batches(seed, torch.float64)
        optimizer.zero_grad()
        step = mine.mixed(data)
        optimizer.step()
        assert 0.0 < step.eta < 1.0
        assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(rate)
        gradients = by_hand(copy.deepcopy(plain), data)
        for parameter_name, parameter in plain.named_parameters():
            parameter.grad = gradients[parameter_name]
        for group in other.param_groups:
            group["lr"] = torch.tensor(rate * step.eta) if "tensor" in name else rate * step.eta
        other.step()
        for parameter_name, parameter in plain.named_parameters():
            # A tensor rate is in single precision.
            tolerance = {"rtol": 1e-6, "atol": 1e-8} if "tensor" in name else EXACT
            torch.testing.assert_close(model.get_parameter(parameter_name), parameter, **tolerance)


def test_without_eta_the_learning_rate_is_the_optimisers_own(small_net, batches, loop) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    before = state_of(model)
    assert loop(model, adaptive=False).mixed(batches()).eta == 1.0
    gradient = model.last.weight.grad.clone()
    optimizer.step()
    torch.testing.assert_close(model.last.weight, before["last.weight"] - 0.5 * gradient)


def test_eta_is_for_one_step_of_each_optimiser_of_the_model(small_net, batches, loop) -> None:
    model, foreign = small_net(), nn.Linear(1, 1)
    foreign.weight.grad = torch.ones(1, 1)
    optimizers = {
        "trunk": torch.optim.SGD([*model.first.parameters(), *model.second.parameters()], lr=0.1),
        "last": torch.optim.SGD(model.last.parameters(), lr=0.1),
        "foreign": torch.optim.SGD(foreign.parameters(), lr=0.1),
    }
    seen: dict[str, list[float]] = {name: [] for name in optimizers}
    for name, optimizer in optimizers.items():
        optimizer.register_step_pre_hook(
            lambda o, *_, name=name: seen[name].append(o.param_groups[0]["lr"])
        )
    eta = loop(model).mixed(batches()).eta
    for _ in range(2):
        for optimizer in optimizers.values():
            optimizer.step()
    assert seen["trunk"] == seen["last"] == [pytest.approx(0.1 * eta), 0.1]
    assert seen["foreign"] == [0.1, 0.1]


def test_a_step_that_raises_leaves_no_scaled_learning_rate(small_net, batches, loop) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mine = loop(model)
    mine.mixed(batches())
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    optimizer.zero_grad()
    mine.passes(batches(1))
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_mixer_that_is_gone_watches_no_optimiser(small_net) -> None:
    hooks = optimizer_hooks._global_optimizer_pre_hooks
    gc.collect()
    before = len(hooks)
    mixer = Mixer(small_net(), ["web"])
    assert len(hooks) == before + 1
    del mixer
    gc.collect()
    assert len(hooks) == before


def test_schedulers_never_see_the_scaled_rate(small_net, batches, loop) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda _: 0.5)
    mine = loop(model)
    for _ in range(2):
        optimizer.zero_grad()
        mine.mixed(batches())
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(0.025)]
