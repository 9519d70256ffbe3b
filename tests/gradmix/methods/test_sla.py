"""SLA: the centres, the labels they suggest, and their weight in a source's loss."""

import math

import pytest
import torch
from torch.nn import functional

from gradmix.declarations.methods.sla import SLAConfig
from gradmix.methods.sla import Centres


def ready(toy, progress: float = 0.5, **settings):
    """A method with centres, in the middle of its training."""
    method = toy.method("sla", **settings)
    method.update(*toy.batches(), toy.unlabelled().next())
    method.progress = progress
    method.centres.advance(int(progress / method.config.interval))
    return method


def test_centres_are_class_means_of_what_the_interval_before_collected() -> None:
    centres = Centres()
    centres.collect(torch.tensor([[1.0, 0.0], [3.0, 2.0]]), torch.tensor([0, 0]), 3)
    centres.collect(torch.tensor([[2.0, 4.0], [0.0, 8.0]]), torch.tensor([0, 2]), 3)
    centres.advance(0)
    assert centres.centres is None
    centres.advance(1)
    expected = torch.tensor([[2.0, 2.0], [0.0, 0.0], [0.0, 8.0]])
    torch.testing.assert_close(centres.centres, expected)


def test_a_class_that_nothing_was_predicted_as_keeps_its_centre() -> None:
    centres = Centres()
    centres.advance(1)
    assert centres.centres is None
    centres.collect(torch.tensor([[1.0], [2.0]]), torch.tensor([0, 1]), 2)
    centres.advance(2)
    centres.collect(torch.tensor([[5.0]]), torch.tensor([1]), 2)
    centres.advance(2)
    assert centres.centres.flatten().tolist() == [1.0, 2.0]
    centres.advance(3)
    assert centres.centres.flatten().tolist() == [1.0, 5.0]
    centres.advance(4)
    assert centres.centres.flatten().tolist() == [1.0, 5.0]


def test_labels_are_suggested_by_nearness_at_one_length(toy) -> None:
    """At norm 2, (1, 0) is (2, 0): 0 and 2 sqrt 2 away; softmax of 0 and -.5 * 2 sqrt 2."""
    method = toy.method("sla", length=2.0, temperature=0.5)
    found = method.suggested(torch.tensor([[7.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
    share = 1.0 / (1.0 + math.exp(-math.sqrt(2.0)))
    torch.testing.assert_close(found, torch.tensor([[share, 1.0 - share]]))


@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"warm_up": 0.9}])
def test_without_bent_labels_the_step_is_that_of_joint(toy, settings) -> None:
    mine, joint = toy.method("sla", **settings), toy.method("joint")
    for progress in (0.0, 0.3, 0.6):
        mine.progress = progress
        mine.update(*toy.batches(), toy.unlabelled().next())
        joint.update(*toy.batches())
    assert mine.centres.centres is not None
    torch.testing.assert_close(mine.flat.vector, joint.flat.vector)


def test_a_source_learns_its_own_labels_and_the_suggested_ones(toy) -> None:
    method, ((near, _), _) = ready(toy, alpha=0.4), toy.batches()
    method.flat.zero()
    figure = method.backward_source(near)
    method.flat.set_sum()
    found = method.flat.gradient.clone()

    method.flat.zero()
    method.flat.collect_in(0)
    features = method.network.embed(near.images)
    logits = method.network.heads["target"](features)
    labels = method.suggested(features.detach(), method.centres.centres)
    assert float(labels.amax(1).min()) < 0.999
    own = functional.cross_entropy(logits, near.labels)
    (0.6 * own + 0.4 * functional.cross_entropy(logits, labels)).backward()
    method.flat.set_sum()
    torch.testing.assert_close(found, method.flat.gradient)
    assert figure == pytest.approx(float(own.detach()))


def test_a_source_with_other_classes_keeps_its_labels(toy) -> None:
    method, ((_, far), _) = ready(toy), toy.batches()
    gradients = []
    for backward in (method.backward_source, lambda batch: method.backward(batch, 0)):
        method.flat.zero()
        backward(far)
        gradients.append(method.flat.gradients.clone())
    torch.testing.assert_close(*gradients)


def test_images_of_u_join_the_class_they_are_predicted_as(toy) -> None:
    method, images = toy.method("sla"), toy.unlabelled().next()
    before = {name: value.clone() for name, value in method.network.named_buffers()}
    method.collect(images)
    for name, value in method.network.named_buffers():
        assert torch.equal(value, before[name])
    method.centres.advance(1)
    with torch.no_grad():
        features = method.network.embed(images)
        classes = method.network.heads["target"](features).argmax(1)
    for number in classes.unique():
        expected = 20.0 * functional.normalize(features[classes == number]).mean(0)
        torch.testing.assert_close(method.centres.centres[number], expected)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"alpha": 1.5}, r"alpha must be in \[0, 1\], found 1.5"),
        ({"warm_up": -0.1}, r"warm_up must be in \[0, 1\], found -0.1"),
        ({"temperature": 0.0}, "temperature must be positive, found 0.0"),
        ({"length": -1.0}, "length must be positive, found -1.0"),
        ({"interval": 0.0}, r"interval must be in \(0, 1\], found 0.0"),
    ],
)
def test_an_impossible_setting_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        SLAConfig(**setting)
