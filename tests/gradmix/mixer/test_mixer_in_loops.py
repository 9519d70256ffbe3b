"""The mixer in real training loops: optimisers, accumulation, scaled losses, odd models."""

import copy
import gc

import pytest
import torch
from torch import nn
from torch.optim import optimizer as optimizer_hooks

from gradmix import Mixer

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_state(model: nn.Module, other: dict[str, torch.Tensor], **tolerance) -> None:
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, other[name], **(tolerance or EXACT))


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
