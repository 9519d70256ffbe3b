"""From probabilities to labels: values by hand."""

import torch

from tasks.models.labels import labels_of

MEMBERS = torch.tensor([[[0.5, 0.3, 0.2]], [[0.1, 0.8, 0.1]], [[0.6, 0.4, 0.0]]])


def test_the_mean_decides_and_agreement_counts_the_members_that_say_so() -> None:
    (found,) = labels_of(MEMBERS, ("a", "b", "c"))
    # Means .4, .5, .1; only the second member's first class is b.
    assert (found.label, found.runner_up) == ("b", "a")
    assert round(found.confidence, 6) == 0.5
    assert round(found.runner_up_confidence or 0, 6) == 0.4
    assert round(found.agreement or 0, 6) == round(1 / 3, 6)


def test_one_network_has_no_agreement_and_one_class_no_runner_up() -> None:
    (found,) = labels_of(MEMBERS[:1], ("a", "b", "c"))
    assert (found.label, found.agreement) == ("a", None)
    (found,) = labels_of(torch.ones(1, 1, 1), ("a",))
    assert (found.label, found.runner_up, found.runner_up_confidence) == ("a", None, None)
