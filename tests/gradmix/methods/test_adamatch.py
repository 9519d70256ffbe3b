"""AdaMatch: frequencies, threshold, interpolated logits and ramp, each against its equation."""

import pytest
import torch
from torch.nn import functional

from gradmix.declarations.methods.adamatch import AdaMatchConfig
from gradmix.methods.adamatch import Alignment, ramped_up


def drawn_again(toy, method):
    """Logits as the next update draws them; restores the generator."""
    (near, far), target = toy.batches()
    state = method.generator.get_state()
    method.network.train()
    found = method.drawn_logits({"near": near, "far": far, "V": target}, toy.unlabelled().next())
    method.generator.set_state(state)
    return found


def test_pseudo_labels_are_aligned_as_worked_out_by_hand() -> None:
    """Sources: .5 (.5, .5) + .5 (.8, .2) = (.65, .35); U: mean of (.5, .5) and (.6, .4).

    .6 * .65 / .55 = .70909 and .4 * .35 / .45 = .31111, scaled to sum one.
    """
    alignment = Alignment(ema_momentum=0.5, window=2)
    reference = torch.tensor([[0.9, 0.1], [0.7, 0.3]])
    found = alignment.pseudo_labels({"S": reference}, torch.tensor([[0.6, 0.4]]))
    expected = torch.tensor([[0.70909, 0.31111]]) / (0.70909 + 0.31111)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0.0)


def test_the_window_forgets_and_the_average_does_not() -> None:
    alignment = Alignment(ema_momentum=0.9, window=3)
    first, later = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.2, 0.8]])
    for guessed in (first, later, later, later):
        alignment.pseudo_labels({"S": first}, guessed)
    found = alignment.state_dict()
    torch.testing.assert_close(found["of_unlabelled"], later.repeat(3, 1))
    expected = 0.9**4 * 0.5 + (1.0 - 0.9**4) * 0.9
    assert float(found["of_sources"]["S"][0]) == pytest.approx(expected)


def test_of_several_sources_the_mean_frequencies_are_wanted() -> None:
    even = torch.tensor([[0.5, 0.5]])
    alignment = Alignment(ema_momentum=0.0, window=1)
    reference = {"A": torch.tensor([[0.9, 0.1]]), "B": torch.tensor([[0.5, 0.5]])}
    found = alignment.pseudo_labels(reference, even)
    torch.testing.assert_close(found, torch.tensor([[0.7, 0.3]]), atol=1e-5, rtol=0.0)


def test_confident_is_what_the_sources_are_times_the_threshold(toy) -> None:
    """Sources are .8 confident on average: at threshold .9, .72 counts and .71 does not."""
    method = toy.method("adamatch")
    method.alignment = Alignment(ema_momentum=0.999, window=10**6)
    reference = torch.tensor([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05]]).log()
    guessed = torch.tensor([[0.14, 0.71, 0.15], [0.14, 0.13, 0.73]]).log()
    strong = torch.tensor([[0.3, 0.2, -0.5], [1.0, 0.0, 0.4]])
    found, figures = method.pseudo_labelled_loss({"near": reference}, guessed, strong)
    assert float(figures["threshold"]) == pytest.approx(0.72)
    assert int(figures["count/pseudo_labelled"]) == 1
    expected = functional.cross_entropy(strong[1:], torch.tensor([2])) / 2.0
    torch.testing.assert_close(found, expected)


def test_sources_with_other_classes_give_no_frequencies(toy) -> None:
    method = toy.method("adamatch")
    method.update(*toy.batches(), toy.unlabelled().next())
    assert set(method.alignment.of_sources) == {"near"}


def test_logits_are_drawn_between_a_pass_with_u_and_one_without(toy) -> None:
    method = toy.method("adamatch")
    logits, of_u = drawn_again(toy, method)
    (near, far), target = toy.batches()
    images = toy.unlabelled().next()
    sets = [method.views(x) for x in (near.images, far.images, target.images, images)]
    heads = ["target", "far", "target", "target"]
    alone = method.logits_of(sets[:3], heads[:3], update_statistics=False)
    *together, found = method.logits_of(sets, heads, update_statistics=False)
    torch.testing.assert_close(of_u, found)
    shares = []
    for drawn, without, with_u in zip(logits.values(), alone, together, strict=True):
        low, high = torch.minimum(without, with_u), torch.maximum(without, with_u)
        assert torch.all((drawn >= low - 1e-5) & (drawn <= high + 1e-5))
        shares.append(((drawn - with_u) / (without - with_u)).flatten())
    assert 0.3 < float(torch.cat(shares).detach().median()) < 0.7
    assert logits["near"].shape == (2 * len(near.images), 3)


@pytest.mark.parametrize(
    ("progress", "share", "weight"),
    [(0.0, 0.5, 0.0), (0.125, 0.5, 0.1464466), (0.25, 0.5, 0.5), (0.7, 0.5, 1.0), (0.0, 0.0, 1.0)],
)
def test_the_weight_ramps_as_half_a_cosine(progress, share, weight) -> None:
    assert ramped_up(progress, share) == pytest.approx(weight)


@pytest.mark.parametrize(("progress", "weight"), [(0.0, 0.0), (0.25, 1.5), (0.6, 3.0)])
def test_the_step_descends_both_views_of_the_labelled_and_ramped_the_pseudo_labelled(
    toy, progress, weight
) -> None:
    method, again = (toy.method("adamatch", unlabelled_weight=3.0, threshold=0.5) for _ in "12")
    method.progress = progress
    figures = method.update(*toy.batches(), toy.unlabelled().next())
    assert figures["count/pseudo_labelled"] > 0

    (near, far), target = toy.batches()
    again.flat.zero()
    again.flat.collect_in(0)
    logits, of_u = drawn_again(toy, again)
    value = sum(
        0.5 * functional.cross_entropy(view, batch.labels)
        for name, batch in {"near": near, "far": far, "V": target}.items()
        for view in logits[name].chunk(2)
    )
    of_near, (guessed, strong) = logits["near"].chunk(2)[0], of_u.chunk(2)
    pseudo, _ = again.pseudo_labelled_loss({"near": of_near}, guessed, strong)
    (value + weight * pseudo).backward()
    again.flat.set_sum()
    assert figures["loss/U"] == pytest.approx(float(pseudo.detach()))
    torch.testing.assert_close(method.flat.gradient, again.flat.gradient, atol=1e-6, rtol=1e-4)


def test_no_gradient_goes_through_pseudo_labels_or_threshold(toy) -> None:
    method = toy.method("adamatch", threshold=0.0)
    logits = [torch.randn(4, 3, requires_grad=True) for _ in range(3)]
    found, _ = method.pseudo_labelled_loss({"near": logits[0]}, logits[1], logits[2])
    found.backward()
    assert logits[0].grad is None
    assert logits[1].grad is None
    assert float(logits[2].grad.abs().sum()) > 0.0


@pytest.mark.parametrize("flag", [True, False])
def test_running_statistics_are_updated_once_a_step(toy, flag) -> None:
    method = toy.method("adamatch", v_updates_statistics=flag)
    method.update(*toy.batches(), toy.unlabelled().next())
    assert int(method.network.trunk.features[1].num_batches_tracked) == 1


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"threshold": 1.1}, r"threshold must be in \[0, 1\], found 1.1"),
        ({"ramp": -0.1}, r"ramp must be in \[0, 1\], found -0.1"),
        ({"unlabelled_weight": -1.0}, "unlabelled_weight must not be negative, found -1.0"),
        ({"ema_momentum": 1.0}, r"ema_momentum must be in \[0, 1\), found 1.0"),
        ({"window": 0}, "window must be at least 1, found 0"),
    ],
)
def test_an_impossible_setting_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        AdaMatchConfig(**setting)
