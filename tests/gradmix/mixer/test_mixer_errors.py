"""Every misuse of the mixer gives a clear error."""

import pytest
import torch
from torch import nn

from gradmix import Mixer


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sources": []}, r"one or more distinct names other than target\. Found \[\]"),
        ({"sources": "web"}, r"a list of one or more distinct names.* Found 'web'"),
        ({"sources": ["web", "web"]}, "distinct names"),
        ({"sources": ["web", "target"]}, "other than target"),
        ({"beta": -1.0}, r"beta must not be negative, found -1\.0"),
        ({"solver": "best"}, r"solver must be one of exact, .* Found 'best'"),
        ({"grouping": "block"}, r"grouping must be one of layer, tensor, model\. Found 'block'"),
        ({"memory": "disk"}, r"memory must be one of device, cpu\. Found 'disk'"),
        ({"opposed": "stop"}, r"opposed must be one of vertex, skip\. Found 'stop'"),
        ({"every": 0}, r"every must be at least 1\. Found 0"),
        ({"heads": ["lats"]}, r"heads must name .* has first, last, norm, second\. Found 'lats'"),
        ({"only": ["fc"]}, r"only must name .* Found 'fc'"),
        ({"heads": ["first", "norm", "second", "last"]}, "trunk with parameters, found none"),
    ],
)
def test_what_a_mixer_cannot_be_is_refused(settings, message, small_net) -> None:
    with pytest.raises(ValueError, match=message):
        Mixer(small_net(), **{"sources": ["web", "sport"], **settings})


@pytest.mark.parametrize("what", ["heads", "only"])
def test_a_name_in_place_of_a_list_is_refused(what, small_net) -> None:
    with pytest.raises(TypeError, match=f"{what} must be a list of names. Found 'last'"):
        Mixer(small_net(), ["web"], **{what: "last"})


def test_shards_are_refused() -> None:
    class DTensor(nn.Parameter):
        """Parameters as in sharded training."""

    model = nn.Linear(1, 1)
    model.weight = DTensor(torch.ones(1, 1))
    with pytest.raises(ValueError, match=r"found the shard weight; .* DistributedDataParallel"):
        Mixer(model, ["web"])


def test_an_unknown_source_is_named(small_net) -> None:
    with pytest.raises(ValueError, match=r"source must be one of web, sport\. Found 'sports'"):
        Mixer(small_net(), ["web", "sport"]).source("sports")


def test_a_block_inside_another_is_refused(small_net, batches, loop) -> None:
    mine = loop(small_net())
    with (
        pytest.raises(
            RuntimeError, match=r"mixer\.target\(\) called inside mixer\.source\('web'\)"
        ),
        mine.mixer.source("web"),
        mine.mixer.target(),
    ):
        mine.backward(batches()[0])


@pytest.mark.parametrize("call", ["mix", "propose", "discard", "state_dict"])
def test_a_call_inside_a_block_is_refused(call, small_net, loop) -> None:
    mixer = loop(small_net()).mixer
    with (
        pytest.raises(RuntimeError, match=rf"mixer\.{call}\(\) called inside mixer\.target\(\)"),
        mixer.target(),
    ):
        getattr(mixer, call)()


def test_a_block_without_a_backward_pass_is_refused(small_net, batches, loop) -> None:
    model = small_net()
    mine = loop(model)
    message = r"expected a backward pass .* inside mixer\.source\('web'\), found none"
    with pytest.raises(RuntimeError, match=message), mine.mixer.source("web"):
        model(batches()[0][0])
    with mine.mixer.source("web"):
        mine.backward(batches()[0])
    with pytest.raises(RuntimeError, match=message), mine.mixer.source("web"):
        nn.functional.cross_entropy(model(batches()[0][0]), batches()[0][1])


@pytest.mark.parametrize("call", ["mix", "propose"])
def test_a_missing_pass_is_named(call, small_net, batches, loop) -> None:
    mine = loop(small_net())
    with mine.mixer.source("web"):
        mine.backward(batches()[0])
    with pytest.raises(
        RuntimeError,
        match=rf"mixer\.{call}\(\) needs passes over web, sport, target; found none over sport, ",
    ):
        getattr(mine.mixer, call)()


def test_mixing_twice_is_refused(small_net, batches, loop) -> None:
    mine = loop(small_net())
    mine.mixed(batches())
    with pytest.raises(
        RuntimeError, match="found none over web, sport, target since the last step"
    ):
        mine.mixer.mix()


def test_a_step_without_mixing_is_refused(small_net, batches, loop) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mine = loop(model)
    mine.passes(batches())
    with pytest.raises(
        RuntimeError, match=r"optimizer\.step\(\) found unmixed passes; call mixer\.mix"
    ):
        optimizer.step()
    mine.mixer.discard()
    optimizer.step()


def test_a_mixture_that_was_zeroed_before_the_step_is_refused(small_net, batches, loop) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loop(model).mixed(batches())
    optimizer.zero_grad()
    with pytest.raises(RuntimeError, match=r"zero_grad\(\) before mixer\.mix\(\), not after it"):
        optimizer.step()


def test_a_gradient_that_was_not_zeroed_is_refused(small_net, batches, loop) -> None:
    mine = loop(small_net())
    mine.mixed(batches())
    mine.passes(batches(1))
    with pytest.raises(RuntimeError, match=r"found it in .*; call optimizer\.zero_grad\(\) once"):
        mine.mixer.mix()


def test_an_optimiser_without_a_learning_rate_is_refused(small_net, batches, loop) -> None:
    class Free(torch.optim.Optimizer):
        def step(self) -> None:
            raise NotImplementedError

    model = small_net()
    optimizer = Free(model.parameters(), {})
    loop(model).mixed(batches())
    with pytest.raises(ValueError, match=r"with a learning rate, found Free; .* adaptive=False"):
        optimizer.step()


def test_a_gradient_that_is_no_number_is_named(small_net, batches, loop) -> None:
    model = small_net()
    mine = loop(model)
    *sources, (images, labels) = batches()
    with pytest.raises(
        FloatingPointError,
        match=r"the gradient of target in layer first contains NaN or Inf; .* mixer\.mix\(scaler\)",
    ):
        mine.mixed([*sources, (images * torch.nan, labels)])
    assert model.first.weight.grad is None
    mine.mixed(batches())


def test_a_model_converted_within_a_step_is_refused(small_net, batches, loop) -> None:
    model = small_net()
    mine = loop(model)
    with mine.mixer.source("web"):
        mine.backward(batches()[0])
    model.double()
    with pytest.raises(
        RuntimeError, match=r"parameter first.weight to be torch\.float32 .* found torch\.float64"
    ):
        mine.mixer.source("web").__enter__()


def test_a_model_that_is_wholly_frozen_is_refused(small_net, batches, loop) -> None:
    model = small_net()
    mine = loop(model, heads=["last"])
    model.requires_grad_(requires_grad=False)
    model.last.requires_grad_()
    with pytest.raises(ValueError, match="expected a trainable parameter outside the heads"):
        mine.mixed(batches())


def test_complex_parameters_are_refused() -> None:
    model = nn.Linear(2, 2, dtype=torch.complex64)
    mixer = Mixer(model, ["web"])
    for context in (mixer.source("web"), mixer.target()):
        with context:
            model(torch.ones(1, 2, dtype=torch.complex64)).abs().sum().backward()
    with pytest.raises(ValueError, match="expected real gradients, found complex ones"):
        mixer.mix()


def test_an_error_inside_a_block_forgets_the_step_and_restores_the_model(
    small_net, batches, loop
) -> None:
    model = small_net()
    model.first.weight.grad = kept = torch.ones_like(model.first.weight)
    mine = loop(model)
    with mine.mixer.source("web"):
        mine.backward(batches()[0])
    images, labels = batches()[2]
    with pytest.raises(RuntimeError, match="to have 2 channels"), mine.mixer.target():
        mine.backward((images[:, :1], labels))
    assert model.first.weight.grad is kept
    assert model.norm.track_running_stats
    with pytest.raises(RuntimeError, match="found none over web, sport, target"):
        mine.mixer.mix()


def test_a_state_of_other_sources_is_refused(small_net) -> None:
    state = Mixer(small_net(), ["web", "sport"]).state_dict()
    with pytest.raises(ValueError, match="a state for the sources web, found one for web, sport"):
        Mixer(small_net(), ["web"]).load_state_dict(state)


def test_a_state_in_the_middle_of_a_step_is_refused(small_net, batches, loop) -> None:
    mine = loop(small_net())
    mine.passes(batches())
    with pytest.raises(RuntimeError, match=r"mixer\.state_dict\(\) found unmixed pass"):
        mine.mixer.state_dict()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"floor": 0.6}, r"floor must be in \[0, 1 / 2\]\. Found 0\.6"),
        ({"floor": -0.1}, "floor must be in"),
        ({"smoothing": 1.0}, r"smoothing must be in \[0, 1\)\. Found 1\.0"),
    ],
)
def test_proposals_that_are_no_probabilities_are_refused(
    settings, message, small_net, batches, loop
) -> None:
    mine = loop(small_net())
    mine.passes(batches())
    with pytest.raises(ValueError, match=message):
        mine.mixer.propose(**settings)
