"""The contract of every method, checked for every row of `METHODS`."""

import ast
import copy
import dataclasses
import functools
import inspect
import io
from pathlib import Path
from typing import Any

import pytest
import torch

from gradmix.declarations.methods import METHODS, method_named
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.target import TargetConfig
from gradmix.declarations.training import TrainingConfig
from gradmix.method import Method
from gradmix.methods import build_method, method_class
from gradmix.sampling import Batch, Stream, UnlabelledStream
from gradmix.training import Training, train

every_method = pytest.mark.parametrize("name", METHODS)


def trained(toy, method: Method, steps: int = 6, streams=None, target=None, **options) -> Training:
    config = TrainingConfig(steps=steps, validate_every=3)
    streams = toy.streams() if streams is None else streams
    target = toy.target() if target is None else target
    options = {"unlabelled": toy.unlabelled(), **options}
    return train(method, streams, target, toy.hyper_validation(), config, **options)


def needed(toy, method: Method, scale: float = 1.0) -> tuple[list[Batch], Batch | None, Any]:
    """A mini-batch of everything the method declares."""
    *sources, target = [
        Batch(scale * b.images, b.labels, b.head) for b in [*toy.batches()[0], toy.batches()[1]]
    ]
    unlabelled = scale * toy.unlabelled().next()
    return (
        [batch for batch in sources if method.declaration.reads_source(batch.head)],
        target if method.declaration.uses_target else None,
        unlabelled if method.declaration.uses_unlabelled else None,
    )


def assert_same(a: Any, b: Any) -> None:
    """Bitwise equality, through dicts and lists."""
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


@every_method
def test_a_method_is_two_files_a_row_and_a_test_file(name) -> None:
    entry = METHODS[name]
    method = method_class(entry)
    assert method.__module__ == f"gradmix.methods.{name}"
    assert method.declaration is entry
    assert entry.config.__module__ == f"gradmix.declarations.methods.{name}"
    assert entry.config.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(entry.config))
    assert (Path(__file__).parent / f"test_{name}.py").is_file()
    assert entry.starts_from in {None, *METHODS}
    assert method_named(name) is entry
    assert entry.name == name
    assert method.__annotations__["config"] is entry.config


@every_method
def test_a_method_knows_no_other_declaration(name) -> None:
    parsed = ast.parse(Path(inspect.getfile(method_class(METHODS[name]))).read_text("utf-8"))
    imported = {node.module for node in ast.walk(parsed) if isinstance(node, ast.ImportFrom)}
    known = {module for module in imported if module.startswith("gradmix.declarations.methods")}
    assert known == {f"gradmix.declarations.methods.{name}"}


@every_method
def test_training_lowers_the_loss_on_separable_images(toy, name) -> None:
    curve = []
    method = toy.method(name)
    for _ in range(16):
        figures = method.update(*needed(toy, method))
        # That of U comes and goes with the labels that are confident.
        labelled = [figures[key] for key in figures if key.startswith("loss/") and key != "loss/U"]
        curve.append(sum(labelled))
    assert curve[-1] < 0.5 * curve[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Whole:
    """A training that nobody interrupted, with its state at half: in memory, and in a file."""

    method: Method
    found: Training
    streams: list[Any]
    state: Any
    file: bytes


@functools.cache
def whole(toy, name: str) -> Whole:
    """Six steps from seed 0; read only."""
    method, file, states = toy.method(name), io.BytesIO(), []
    streams, target, unlabelled = toy.streams(), toy.target(), toy.unlabelled()

    def keep(training, state) -> None:
        states.append(state())
        if training.step == 3:
            torch.save(state(), file)

    found = trained(toy, method, 6, streams, target, unlabelled=unlabelled, on_validation=keep)
    drawn = [*streams, target, unlabelled]
    return Whole(method=method, found=found, streams=drawn, state=states[0], file=file.getvalue())


@every_method
def test_the_same_seed_gives_the_same_bits(toy, name) -> None:
    first, second = whole(toy, name), toy.method(name)
    curve = trained(toy, second).curve
    assert_same(curve, first.found.curve)
    assert_same(first.method.state_dict(), second.state_dict())
    other = toy.method(name, network=toy.network_of(name, seed=1))
    assert trained(toy, other, 3).curve != curve[:1]


@every_method
def test_an_interrupted_training_resumes_bit_by_bit(toy, name) -> None:
    expected = whole(toy, name)
    state = torch.load(io.BytesIO(expected.file), weights_only=True)
    torch.manual_seed(999)
    resumed = toy.method(name, network=toy.network_of(name, seed=5))
    streams, target, unlabelled = toy.streams(seed=50), toy.target(), toy.unlabelled()
    found = trained(toy, resumed, 6, streams, target, resume=state, unlabelled=unlabelled)

    assert_same(vars(found), vars(expected.found))
    assert_same(resumed.state_dict(), expected.method.state_dict())
    for mine, theirs in zip([*streams, target, unlabelled], expected.streams, strict=True):
        assert_same(mine.state_dict(), theirs.state_dict())


@every_method
def test_a_state_in_memory_does_not_change_as_training_goes_on(toy, name) -> None:
    expected = whole(toy, name)
    for _ in range(2):
        resumed = toy.method(name, network=toy.network_of(name, seed=5))
        before = copy.deepcopy(expected.state)
        trained(toy, resumed, 6, resume=expected.state)
        assert_same(expected.state, before)
        assert_same(resumed.state_dict(), expected.method.state_dict())


@pytest.mark.parametrize("name", [name for name in METHODS if METHODS[name].uses_target])
def test_vs_statistics_flag_moves_norm_buffers_only(toy, name) -> None:
    states = {}
    for flag in (True, False):
        torch.manual_seed(0)
        method = toy.method(name, v_updates_statistics=flag)
        figures = [method.update(*needed(toy, method)) for _ in range(2)]
        states[flag] = (figures, method.state_dict(), dict(method.network.named_buffers()))
    for by_v, without in zip(*[states[flag][:2] for flag in (True, False)], strict=True):
        if isinstance(by_v, dict):
            buffers = states[True][2].keys()
            moved = {
                key for key in buffers if not by_v["network"][key].equal(without["network"][key])
            }
            assert {key.rsplit(".")[-1] for key in moved} >= {"running_mean", "running_var"}
            for state in (by_v, without):
                state["network"] = {k: v for k, v in state["network"].items() if k not in buffers}
        assert_same(by_v, without)


def test_every_method_that_reads_v_has_the_same_default_for_its_statistics() -> None:
    configs = [entry.config() for entry in METHODS.values() if entry.uses_target]
    assert all(isinstance(config, TargetConfig) for config in configs)
    assert {config.v_updates_statistics for config in configs} == {True}


class Unreadable(Stream):
    """A stream that must not be read."""

    def next(self) -> Batch:
        raise AssertionError(f"{self.name} was read")


class UnreadableU(UnlabelledStream):
    """The same without labels."""

    def next(self) -> torch.Tensor:
        raise AssertionError(f"{self.name} was read")


@every_method
def test_a_method_never_reads_what_it_does_not_declare(toy, name) -> None:
    method, streams, target = toy.method(name), toy.streams(), toy.target()
    unlabelled = toy.unlabelled()
    for stream in streams:
        if not method.declaration.reads_source(stream.head):
            stream.__class__ = Unreadable
    if not method.declaration.uses_target:
        target.__class__ = Unreadable
    if not method.declaration.uses_unlabelled:
        unlabelled.__class__ = UnreadableU
    trained(toy, method, 2, streams, target, unlabelled=unlabelled)


@every_method
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e4])
def test_figures_and_weights_stay_finite_on_extreme_images(toy, name, scale) -> None:
    method = toy.method(name, optimiser=OptimiserConfig(learning_rate=1e-3))
    for _ in range(3):
        figures = method.update(*needed(toy, method, scale))
        assert torch.isfinite(torch.tensor(list(figures.values()))).all()
    assert torch.isfinite(method.flat.vector).all()


@every_method
def test_not_a_number_in_the_data_ends_the_training_and_names_the_step(toy, name) -> None:
    method = toy.method(name)
    streams, target = toy.streams(), toy.target()
    read = [stream for stream in streams if method.declaration.reads_source(stream.head)]
    broken = [*read, target][0]
    broken._images = broken._images.float()
    broken._images[0, 0, 0, 0] = torch.nan
    broken.batch_size = 10**6
    with pytest.raises(FloatingPointError, match=rf"^step 1: .*\b{broken.name}\b.*nan|NaN"):
        trained(toy, method, 2, streams, target)


@every_method
def test_predicting_changes_nothing_and_does_not_depend_on_the_company(toy, name) -> None:
    method = toy.method(name)
    trained(toy, method, 3)
    before = copy.deepcopy(method.state_dict())
    images = toy.hyper_validation().images
    together = method.predict(images)
    assert together.shape == (len(images), 3)
    assert not together.requires_grad
    alone = torch.cat([method.predict(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert_same(method.state_dict(), before)


@every_method
@pytest.mark.parametrize("what", ["V", "U"])
def test_a_method_refuses_to_go_without_what_it_declares(toy, name, what) -> None:
    method = toy.method(name)
    sources, target, unlabelled = needed(toy, method)
    without = (None, unlabelled) if what == "V" else (target, None)
    if method.declaration.uses_target if what == "V" else method.declaration.uses_unlabelled:
        with pytest.raises(ValueError, match=f"^{name} trains on {what}, found no batch of it"):
            method.update(sources, *without)
    else:
        method.update(sources, *without)


@every_method
def test_an_unknown_setting_is_refused(toy, name) -> None:
    with pytest.raises(TypeError, match="colour"):
        toy.method(name, colour="red")


def test_an_unknown_method_is_refused_with_the_known_ones(toy) -> None:
    with pytest.raises(ValueError, match=r"target_only, .*gradmix, .*\. Found 'mixgrad'"):
        build_method("mixgrad", toy.network(), [], OptimiserConfig(), {})


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be positive, found 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive, found nan"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), found 1.0"),
        ({"momentum": -0.1}, r"momentum must be in \[0, 1\), found -0.1"),
    ],
)
def test_an_impossible_descent_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        OptimiserConfig(**setting)


def test_the_base_method_does_not_train(toy) -> None:
    with pytest.raises(NotImplementedError):
        Method(toy.network(), [], OptimiserConfig(), None).update([], None)
