"""Fine-tune continues from a source-only model with V only."""

import copy

import pytest
import torch

from gradmix.declarations.methods import METHODS
from gradmix.losses import loss
from gradmix.method import copied_state


def test_fine_tune_starts_from_source_only_and_declares_v_alone() -> None:
    method = METHODS["fine_tune"]
    assert method.starts_from == "source_only"
    assert (method.source_scope, method.uses_target) == ("none", True)
    others = {entry.starts_from for entry in METHODS.values()} - {"source_only"}
    assert others == {None}


def test_fine_tune_goes_on_as_target_only_does_from_the_same_weights(toy) -> None:
    first = toy.method("source_only")
    for _ in range(5):
        first.update(toy.batches()[0], None)
    start = copied_state(first.network)
    ends = []
    for name in ("fine_tune", "target_only"):
        network = toy.network(seed=9)
        network.load_state_dict(start)
        method = toy.method(name, network=network)
        for _ in range(5):
            method.update([], toy.batches()[1])
        ends.append(method.flat.vector.clone())
    assert torch.equal(*ends)
    assert not torch.equal(ends[0], first.flat.vector)


def test_frozen_norms_normalise_v_by_the_starts_statistics_and_keep_them(toy) -> None:
    first = toy.method("source_only")
    for _ in range(5):
        first.update(toy.batches()[0], None)
    method = toy.method("fine_tune", network=first.network, frozen_norms=True)
    target = toy.batches()[1]
    plain = copy.deepcopy(method.network).eval()
    expected = loss(plain(target.images, target.head), target.labels).item()
    assert method.update([], target)["loss/V"] == pytest.approx(expected, rel=1e-5)
    for _ in range(20):
        after = method.update([], target)["loss/V"]
    assert after < 0.5 * expected
    for name, value in method.network.named_buffers():
        assert torch.equal(value, plain.get_buffer(name)), name


def test_fine_tune_raises_the_accuracy_of_a_source_only_model_on_v(toy) -> None:
    target = toy.target()
    first = toy.method("source_only")
    for _ in range(3):
        first.update(toy.batches()[0], None)
    method = toy.method("fine_tune", network=first.network)
    before = method.update([], target.next())["loss/V"]
    for _ in range(30):
        after = method.update([], target.next())["loss/V"]
    assert after < 0.5 * before
