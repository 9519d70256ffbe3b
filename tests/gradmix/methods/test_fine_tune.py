"""Fine-tune goes on from a source-only model with V alone."""

import torch

from gradmix.method import copied_state
from gradmix.methods import METHODS


def test_fine_tune_starts_from_source_only_and_declares_v_alone() -> None:
    method = METHODS["fine_tune"].method
    assert method.starts_from == "source_only"
    assert (method.source_scope, method.uses_target) == ("none", True)
    others = {entry.method.starts_from for entry in METHODS.values()} - {"source_only"}
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
