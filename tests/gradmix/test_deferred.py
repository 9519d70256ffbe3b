"""No step waits for the device: the device path, run on the CPU and counted there.

Nothing here runs on a GPU. What is counted is anything that would make the host wait for one:
reading a tensor, data-dependent sizes, and copies between devices.
"""

import math
from collections import Counter

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gradmix.declarations.training import TrainingConfig
from gradmix.sampling import Batch, Stream, UnlabelledStream
from gradmix.solving.solvers import solve_layer
from gradmix.telemetry import Window
from gradmix.training import train

READS = {"tolist", "item", "numpy", "cpu", "__array__", "__float__", "__int__", "__bool__"}
WAITS = {
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.nonzero.default,
    torch.ops.aten.masked_select.default,
}
INDEXING = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
}
DEFERRED = ("gradmix", "source_only", "joint", "gradmix_vat", "gradmix_fixmatch", "gradmix_sgd")


class Counted(TorchDispatchMode):
    """Counts operators that make the host wait."""

    def __init__(self, seen: Counter) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        masks = func in INDEXING and any(i is not None and i.dtype == torch.bool for i in args[1])
        if func in WAITS or masks:
            self.seen[str(func)] += 1
        return func(*args, **(kwargs or {}))


class CountedReads(TorchFunctionMode):
    """Counts conversions from tensors to numbers that call no operator on a CPU."""

    def __init__(self, seen: Counter) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") in READS:
            self.seen[func.__name__] += 1
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def waits_in(run) -> Counter:
    """How often the host would wait for its device, and why."""
    seen = Counter()
    with Counted(seen), CountedReads(seen):
        run()
    return seen


def deferred(toy, name: str, **settings):
    method = toy.method(name, **settings)
    method.deferred = True
    return method


def needed(toy, method) -> tuple[list[Batch], Batch, Tensor]:
    sources, target = toy.batches()
    read = [batch for batch in sources if method.declaration.reads_source(batch.head)]
    return read, target, toy.unlabelled().next()


def test_what_makes_a_host_wait_is_seen() -> None:
    ways = [
        lambda x: x.sum().item(), float, bool, lambda x: x.tolist(), lambda x: x.nonzero(),
        lambda x: x.new_zeros(1)[x[None] > 0], lambda x: x.cpu(),
    ]  # fmt: skip
    for way in ways:
        assert waits_in(lambda way=way: way(torch.ones(()))).total() >= 1


@pytest.mark.parametrize("name", DEFERRED)
def test_a_step_does_not_wait_for_the_device(toy, name) -> None:
    method = deferred(toy, name)
    inputs = needed(toy, method)
    assert not waits_in(lambda: method.update(*inputs))


@pytest.mark.parametrize("settings", [{"opposed": "skip"}, {"solver": "uniform"}])
def test_settings_of_the_mixing_do_not_make_it_wait(toy, settings) -> None:
    method = deferred(toy, "gradmix", **settings)
    inputs = needed(toy, method)
    assert not waits_in(lambda: method.update(*inputs))


@pytest.mark.parametrize("name", ["gradmix", "source_only", "joint", "gradmix_vat"])
def test_a_training_reads_figures_and_score_once_per_validation(toy, name) -> None:
    method = deferred(toy, name)
    # Raw grey levels, as images in main memory are measured there.
    streams = [Stream(s.name, s._images, s._labels, s.head, 12, 0, "half") for s in toy.streams()]
    target = Stream("V", toy.target()._images, toy.target()._labels, "target", 64, 0, "half")
    unlabelled = UnlabelledStream("U", toy.unlabelled()._images, 12, 0, "half")
    held_out, config = toy.hyper_validation(), TrainingConfig(steps=6, validate_every=3)
    seen = waits_in(lambda: train(method, streams, target, held_out, config, unlabelled=unlabelled))
    assert seen == Counter(tolist=2 * 2)


@pytest.mark.parametrize(
    ("name", "optimiser"), [*((name, "sgd") for name in DEFERRED), ("gradmix", "adamw")]
)
def test_the_curve_and_the_weights_are_those_of_the_host(toy, name, optimiser) -> None:
    from gradmix.declarations.optimiser import OptimiserConfig

    config = TrainingConfig(steps=4, validate_every=2)
    trainings, methods = [], []
    for late in (False, True):
        method = toy.method(
            name, optimiser=OptimiserConfig(learning_rate=1e-3, optimiser=optimiser, clip=1.0)
        )
        method.deferred = late
        methods.append(method)
        trainings.append(
            train(
                method, toy.streams(), toy.target(), toy.hyper_validation(), config,
                unlabelled=toy.unlabelled(),
            )
        )  # fmt: skip
    for row, expected in zip(*(training.curve for training in trainings), strict=True):
        assert set(row) == set(expected)
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-5)
    torch.testing.assert_close(methods[1].flat.vector, methods[0].flat.vector)


def test_skipped_layers_are_those_of_the_host(toy) -> None:
    rows = []
    for late in (False, True):
        method = toy.method("gradmix", opposed="skip")
        method.deferred = late
        sources, target = toy.batches()
        wrong = [Batch(b.images, (b.labels + 1) % 2, b.head) for b in sources]
        window = Window()
        window.add(method.update(wrong, target))
        rows.append(window.figures(1))
    assert rows[1] == pytest.approx(rows[0], rel=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_figure_that_is_not_finite_is_named_with_its_step_when_it_is_read(toy, bad) -> None:
    method = deferred(toy, "source_only")
    batches = [needed(toy, method)[0] for _ in range(4)]
    near = batches[2][0]
    batches[2][0] = Batch(near.images * bad, near.labels, near.head)
    window = Window()
    for sources in batches:
        window.add(method.update(sources, None))
    with pytest.raises(FloatingPointError, match=r"^step 13: loss/near is nan; lower the learning"):
        window.figures(14)


def test_a_gradient_that_is_not_finite_is_seen_in_the_figures(toy) -> None:
    method = deferred(toy, "gradmix")
    sources, target = toy.batches()
    window = Window()
    backward = method.backward_v

    def overflowing(batch, row):
        found = backward(batch, row)
        method.flat.gradients[row, 0] = torch.inf
        return found

    method.backward_v = overflowing
    window.add(method.update(sources, target))
    with pytest.raises(FloatingPointError, match=r"^step 7: rho is nan"):
        window.figures(7)


def test_more_sources_than_the_batched_form_takes_are_solved_on_the_host(toy) -> None:
    names = ["near", "b", "c", "d", "e"]
    method = toy.method("gradmix", sources=names)
    method.deferred = True
    sources, target = toy.batches()
    found = method.mix([sources[0]] * 5, target).solutions
    assert found == method.solve_each()


def test_probes_read_all_of_it(toy) -> None:
    """A probe restores `deferred`."""
    from gradmix.studies.probing import probe

    method = deferred(toy, "gradmix")
    held_out = toy.hyper_validation()
    found = probe(method, *toy.batches(), held_out.images, held_out.labels)
    assert isinstance(found.rho, float)
    assert method.deferred


def test_grams_on_the_device_are_those_of_the_host(toy) -> None:
    method = toy.method("gradmix")
    method.mix(*toy.batches())
    assert method.flat.gram_tensor().tolist() == method.flat.grams()
    assert method.flat.gram_tensor().dtype == torch.float64
    assert solve_layer(method.flat.grams()[0], method._solver) == method.solve_each()[0]
