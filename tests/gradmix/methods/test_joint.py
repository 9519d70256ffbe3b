"""Joint: V is one more source."""

import torch

from gradmix.sampling import Batch


def test_joint_equals_source_only_with_v_as_a_third_source(toy) -> None:
    joint = toy.method("joint")
    pooled = toy.method("source_only", sources=("near", "far", "V"))
    for _ in range(5):
        sources, target = toy.batches()
        figures = joint.update(sources, target)
        assert figures == pooled.update([*sources, target], None)
        assert set(figures) == {"loss/near", "loss/far", "loss/V"}
    assert torch.equal(joint.flat.vector, pooled.flat.vector)


def test_v_counts_as_much_as_a_whole_source(toy) -> None:
    """V in the place of a source, twice: its gradient is summed, not averaged over samples."""
    sources, target = toy.batches()
    one = toy.method("joint", sources=("near",))
    one.update([target], target)
    double = toy.method("target_only")
    double.update([], target)
    torch.testing.assert_close(one.flat.gradient, 2 * double.flat.gradient)
    assert isinstance(sources[0], Batch)
