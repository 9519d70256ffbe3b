"""The mixer in real loops: accumulated passes, clipping, scaled losses, autocast."""

import copy

import pytest
import torch
from torch import nn

from tests.gradmix.mixer.states import EXACT, assert_same_state, state_of


def halves(batch):
    images, labels = batch
    # For equal halves, the mean of their mean losses is the mean of the whole.
    return (images[:2], labels[:2]), (images[2:4], labels[2:4])


@pytest.mark.parametrize("blocks", ["one", "several"])
def test_passes_accumulate_within_and_across_blocks(blocks, small_net, batches, loop) -> None:
    model = small_net(torch.float64).eval()
    data = [(images[:4], labels[:4]) for images, labels in batches(0, torch.float64)]
    step = loop(model).mixed(data)
    expected = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    mine = loop(model)
    contexts = [*(lambda n=n: mine.mixer.source(n) for n in mine.mixer.sources), mine.mixer.target]
    if blocks == "one":
        for context, batch in zip(contexts, data, strict=True):
            with context():
                for half in halves(batch):
                    mine.backward(half, lambda loss: 0.5 * loss)
    else:
        for half in range(2):
            for context, batch in zip(contexts, data, strict=True):
                with context():
                    mine.backward(halves(batch)[half], lambda loss: 0.5 * loss)
    accumulated = mine.mixer.mix()
    assert accumulated.rho == pytest.approx(step.rho)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], **EXACT)


def test_what_a_pass_outside_the_blocks_left_is_added_to(small_net, batches, loop) -> None:
    model = small_net(torch.float64)
    loop(model).mixed(batches(0, torch.float64))
    mixed = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    (0.5 * model.first.weight.square().sum()).backward()
    loop(model).mixed(batches(0, torch.float64))
    of_penalty = model.first.weight.grad - mixed["first.weight"]
    torch.testing.assert_close(of_penalty, model.first.weight.detach(), **EXACT)
    torch.testing.assert_close(model.second.weight.grad, mixed["second.weight"], **EXACT)


def test_gradients_are_clipped_as_ever(small_net, batches, loop) -> None:
    model = small_net()
    loop(model).mixed(batches())
    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
    assert norm.item() == pytest.approx(1e-3, rel=1e-3)


def test_zeroed_gradients_need_not_be_none(small_net, batches, loop) -> None:
    model = small_net()
    mine = loop(model, adaptive=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    mine.mixed(batches())
    first = model.first.weight.grad.clone()
    optimizer.zero_grad(set_to_none=False)
    mine.mixed(batches())
    torch.testing.assert_close(model.first.weight.grad, first)


# At 2^70 the squares of scaled gradients overflow, so they must be unscaled first.
@pytest.mark.parametrize("scale", [2.0**16, 2.0**70])
def test_scaled_losses_make_the_same_step(scale, small_net, batches, loop) -> None:
    model = small_net()
    plain = copy.deepcopy(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    optimizers = [torch.optim.AdamW(m.parameters()) for m in (model, plain)]
    scaled, reference = loop(model), loop(plain)
    for seed in range(2):
        for optimizer in optimizers:
            optimizer.zero_grad()
        scaled.passes(batches(seed), scaler.scale)
        step = scaled.mixer.mix(scaler)
        scaler.unscale_(optimizers[0])
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizers[0])
        scaler.update()
        expected = reference.mixed(batches(seed))
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizers[1].step()
        assert not step.skipped
        assert step.rho == pytest.approx(expected.rho, abs=1e-4)
        assert_same_state(model, plain.state_dict(), rtol=1e-3, atol=1e-5)


def test_an_overflow_skips_the_step_and_lowers_the_scale(small_net, batches, loop) -> None:
    model = small_net()
    before = state_of(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mine = loop(model, every=2)
    model.norm.eval()
    mine.passes([(1e3 * images, labels) for images, labels in batches()], scaler.scale)
    step = mine.mixer.mix(scaler)
    assert step.skipped
    assert step.rho != step.rho
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**126
    assert_same_state(model, before)
    assert mine.mixer.due, "a skipped step counts for nothing"


def test_a_scaler_that_is_off_is_none(small_net, batches, loop) -> None:
    mine = loop(small_net())
    mine.passes(batches())
    assert not mine.mixer.mix(torch.amp.GradScaler("cpu", enabled=False)).skipped


def test_autocast_does_not_reach_the_dot_products(small_net, batches, loop) -> None:
    model = small_net()
    steps = []
    for within in (False, True):
        model.zero_grad()
        mine = loop(model)
        mine.passes(batches())
        with torch.autocast("cpu", torch.bfloat16, enabled=within):
            steps.append(mine.mixer.mix())
    assert steps[0].layers == steps[1].layers
