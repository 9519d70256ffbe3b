"""Views of images: correct size, one per sample, repeatable, mirrored on request."""

import math

import pytest
import torch

from gradmix.normalisation import standardise
from gradmix.unlabelled.augmentation import affine, strong, weak

SIZE = 32
both = pytest.mark.parametrize("view", [weak, strong])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dots(count: int, row: int = 12, column: int = 20) -> torch.Tensor:
    """Images with a single bright pixel each."""
    images = torch.zeros(count, SIZE, SIZE, 1, dtype=torch.uint8)
    images[:, row, column] = 255
    return standardise(images)


def glyphs(count: int) -> torch.Tensor:
    """Images of a flag on a pole, which no rotation turns into its mirror image."""
    images = torch.zeros(count, SIZE, SIZE, 1, dtype=torch.uint8)
    images[:, 6:26, 11:14] = 255
    images[:, 6:13, 14:23] = 255
    return standardise(images)


def noise(count: int = 6, channels: int = 1) -> torch.Tensor:
    drawn = torch.randint(0, 256, (count, SIZE, SIZE, channels), generator=generator(7))
    return standardise(drawn.to(torch.uint8))


def correlation(views: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    """The largest inner product of each view with the original over all small shifts."""
    shifted = [
        original.roll((down, right), (2, 3)) for down in range(-5, 6) for right in range(-5, 6)
    ]
    return torch.stack([(views * other).mean((1, 2, 3)) for other in shifted]).amax(0)


@both
def test_equal_generators_give_equal_views_and_each_call_others(view) -> None:
    images, drawing = noise(), generator()
    first, second = view(images, drawing), view(images, drawing)
    assert torch.equal(view(images, generator()), first)
    assert not torch.equal(first, second)
    restored = generator(5)
    restored.set_state(generator().get_state())
    assert torch.equal(view(images, restored), first)


@both
def test_no_other_generator_is_drawn_from_and_the_images_stay_as_they_were(view) -> None:
    images, before = noise(), torch.get_rng_state()
    copy = images.clone()
    view(images, generator())
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(images, copy)


@both
@pytest.mark.parametrize("shape", [(6, 1, 32, 32), (6, 3, 24, 40), (2, 8, 7, 5), (3, 4, 1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("flip", [False, True])
def test_shape_and_type_are_kept(view, shape, dtype, flip) -> None:
    images = torch.randn(shape, generator=generator(7), dtype=dtype)
    views = view(images, generator(), flip=flip)
    assert views.shape == images.shape
    assert views.dtype == dtype
    assert torch.isfinite(views).all()


@both
def test_every_sample_gets_a_view_of_its_own(view) -> None:
    views = view(glyphs(1).expand(6, -1, -1, -1), generator())
    assert sum(torch.equal(a, b) for i, a in enumerate(views) for b in views[:i]) <= 1


@both
def test_no_view_is_mirrored_unless_it_is_asked_for(view) -> None:
    images = glyphs(64)
    views = view(images, generator())
    as_it_is, mirrored = correlation(views, images), correlation(views, images.flip(3))
    # The cut-out square may hit the distinguishing part.
    assert (as_it_is > mirrored).float().mean() > 0.9


@both
def test_half_of_the_views_are_mirrored_on_request(view) -> None:
    images = glyphs(200)
    views = view(images, generator(), flip=True)
    as_it_is, mirrored = correlation(views, images), correlation(views, images.flip(3))
    assert 0.4 < (as_it_is > mirrored).float().mean() < 0.6


@both
def test_mirroring_draws_first_and_then_the_view_is_made_as_ever(view) -> None:
    images, drawing = noise(), generator()
    chosen = torch.rand(6, generator=drawing) < 0.5
    assert 0 < int(chosen.sum()) < 6
    images[chosen] = images[chosen].flip(3)
    assert torch.equal(view(noise(), generator(), flip=True), view(images, drawing))


@both
def test_flat_images_stay_flat_until_they_are_relit(view) -> None:
    views = view(torch.zeros(4, 1, SIZE, SIZE), generator())
    middle = views.flatten(1).median(1).values
    assert torch.isfinite(views).all()
    assert ((views == 0.0) | (views == middle[:, None, None, None])).all()
    assert (middle.abs() <= 0.5).all()


def test_a_weak_view_is_a_shift_by_at_most_two_pixels_and_all_of_them_occur() -> None:
    views = weak(dots(400), generator())
    found = views.flatten(1).argmax(1)
    moves = {(int(at) // SIZE - 12, int(at) % SIZE - 20) for at in found}
    assert moves == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}
    torch.testing.assert_close(views.flatten(1).sort(1).values, dots(400).flatten(1).sort(1).values)


def test_a_weak_view_draws_its_shifts_down_and_then_right_and_nothing_else() -> None:
    """The stream of random numbers is that of earlier versions, so trainings are reproducible."""
    drawing, replayed = generator(), generator()
    views = weak(dots(9), drawing)
    down, right = torch.randint(-2, 3, (2, 9), generator=replayed).tolist()
    for view, *shift in zip(views, down, right, strict=True):
        torch.testing.assert_close(view, dots(1)[0].roll(shift, (1, 2)))
    assert torch.equal(drawing.get_state(), replayed.get_state())


def moves(height: int, width: int) -> tuple[set[int], set[int]]:
    """Shifts down and right of a single bright pixel that occur in weak views."""
    images = torch.zeros(300, 1, height, width)
    images[:, :, height // 2, width // 2] = 1.0
    found = weak(images, generator()).flatten(1).argmax(1).tolist()
    rows, columns = ({at // width for at in found}, {at % width for at in found})
    return {row - height // 2 for row in rows}, {column - width // 2 for column in columns}


@pytest.mark.parametrize(
    ("side", "most"), [(1, 0), (4, 0), (5, 1), (7, 1), (16, 1), (28, 2), (32, 2), (48, 3)]
)
def test_a_weak_view_is_shifted_by_a_sixteenth_of_each_side_and_of_maps_by_a_cell(
    side, most
) -> None:
    along, across = set(range(-most, most + 1)), {-1, 0, 1}
    assert moves(side, 20) == (along, across)
    assert moves(20, side) == (across, along)


def test_a_weak_view_repeats_the_edge_and_does_not_wrap() -> None:
    ramp = torch.arange(SIZE).expand(SIZE, SIZE)[None, :, :, None].to(torch.uint8) * 7
    views = weak(standardise(ramp).expand(40, -1, -1, -1), generator())
    assert (views.diff(dim=3) >= 0.0).all()
    assert (views.diff(dim=2) == 0.0).all()


def test_colours_of_a_pixel_stay_together() -> None:
    images = noise(channels=3)
    images[:, 1:] = images[:, :1]
    for view in (weak, strong):
        views = view(images, generator())
        assert torch.equal(views[:, 0], views[:, 1])
        assert torch.equal(views[:, 0], views[:, 2])


def test_a_weak_view_is_standardised_like_its_original() -> None:
    views = weak(glyphs(16).roll(8, 3), generator())
    deviation, mean = torch.std_mean(views, dim=(1, 2, 3), correction=0)
    torch.testing.assert_close(mean, torch.zeros(16), atol=1e-5, rtol=0)
    torch.testing.assert_close(deviation, torch.ones(16), atol=1e-5, rtol=0)


def drawn(number: int, value: float) -> torch.Tensor:
    """Draws of one affine view, all zero but one."""
    draws = torch.zeros(5, 1)
    draws[number] = value
    return draws


def slope(image: torch.Tensor) -> float:
    """Slope of the bright stripe in an image [1, 1, 32, W]: rows per column, near the middle."""
    middle = image.shape[3] // 2
    columns = range(middle - 6, middle + 6)
    rows = [float(image[0, 0, :, at].clamp_min(0) @ ROWS) for at in columns]
    sums = [float(image[0, 0, :, at].clamp_min(0).sum()) for at in columns]
    centres = [row / total for row, total in zip(rows, sums, strict=True)]
    return (centres[-1] - centres[0]) / (len(centres) - 1)


ROWS = torch.arange(SIZE, dtype=torch.float32)


def stripe(width: int = SIZE) -> torch.Tensor:
    image = torch.zeros(1, 1, SIZE, width)
    image[:, :, 15:17] = 1.0
    return image


def test_an_affine_view_without_any_change_is_the_image() -> None:
    torch.testing.assert_close(affine(noise(1), drawn(0, 0.0)), noise(1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("value", [-1.0, 0.5, 1.0])
def test_an_affine_view_is_turned_by_up_to_twenty_degrees(value) -> None:
    # Down is the positive direction of rows.
    expected = -math.tan(math.radians(20.0 * value))
    assert slope(affine(stripe(), drawn(0, value))) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_an_affine_view_is_sheared_along_its_rows(value) -> None:
    torch.testing.assert_close(affine(stripe(), drawn(1, value)), stripe())
    upright = stripe().transpose(2, 3).contiguous()
    leaning = affine(upright, drawn(1, value)).transpose(2, 3)
    assert slope(leaning) == pytest.approx(-0.2 * value, abs=0.02)


@pytest.mark.parametrize("width", [32, 48, 64])
@pytest.mark.parametrize("value", [-1.0, 0.5, 1.0])
def test_a_turn_is_one_of_pixels_whatever_the_shape_of_the_image(value, width) -> None:
    expected = math.tan(math.radians(20.0 * value))
    assert slope(affine(stripe(width), drawn(0, value))) == pytest.approx(-expected, abs=0.02)
    upright = stripe(width).transpose(2, 3).contiguous()
    turned = affine(upright, drawn(0, value)).transpose(2, 3)
    assert slope(turned) == pytest.approx(expected, abs=0.02)
    leaning = affine(upright, drawn(1, value)).transpose(2, 3)
    assert slope(leaning) == pytest.approx(-0.2 * value, abs=0.02)


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (8, 24)])
def test_an_affine_view_is_moved_by_a_part_of_each_side(shape) -> None:
    down, right = shape[0] // 8, shape[1] // 8
    # With a blank border as wide as the shift, repeating and rolling give the same result.
    image = torch.zeros(1, 1, *shape)
    image[:, :, down:-down, right:-right] = 1.0 + torch.rand(6 * down, 6 * right)
    for number, axis in ((3, 3), (4, 2)):
        moved = affine(image, drawn(number, 1.0))
        expected = image.roll(-(down if axis == 2 else right), axis)
        torch.testing.assert_close(moved, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("value", "zoom"), [(-1.0, 0.8), (1.0, 1.2)])
def test_an_affine_view_is_zoomed_by_a_fifth(value, zoom) -> None:
    image = torch.zeros(1, 1, SIZE, SIZE)
    image[:, :, 8:24, 8:24] = 1.0
    assert float(affine(image, drawn(2, value)).sum()) == pytest.approx((16 * zoom) ** 2, rel=0.02)


@pytest.mark.parametrize(("number", "axis"), [(3, 3), (4, 2)])
@pytest.mark.parametrize("value", [-1.0, 0.25, 1.0])
def test_an_affine_view_is_moved_by_up_to_four_pixels(number, axis, value) -> None:
    moved = affine(dots(1), drawn(number, value))
    torch.testing.assert_close(moved, dots(1).roll(-round(4 * value), axis), atol=1e-3, rtol=0)


def test_a_strong_view_is_an_affine_one_up_to_the_cut_and_the_light() -> None:
    images = noise(1)
    draws = 2.0 * torch.rand(9, 1, generator=generator(3)) - 1.0
    expected = affine(images, draws[:5])
    found = strong(images, generator(3))
    kept = found != found.flatten().mode().values
    light = torch.stack([found[kept], expected[kept]])
    assert float(torch.corrcoef(light)[0, 1]) == pytest.approx(1.0, abs=1e-4)


def test_contrast_and_brightness_of_a_strong_view_outlive_its_standardising() -> None:
    views = strong(noise(300), generator())
    deviation, mean = torch.std_mean(views, dim=(1, 2, 3), correction=0)
    # The cut-out square takes a sixteenth of the variance.
    assert 0.45 < deviation.min() < 0.6
    assert 1.3 < deviation.max() <= 1.51
    assert -0.6 < mean.min() < -0.4
    assert 0.4 < mean.max() < 0.6


def test_one_square_of_a_strong_view_is_cut_out() -> None:
    views = strong(noise(50), generator())
    for view in views[:, 0]:
        value = view.flatten().mode().values
        rows, columns = (view == value).nonzero().T
        assert len(rows) == (SIZE // 4) ** 2
        assert int(rows.max() - rows.min()) == int(columns.max() - columns.min()) == SIZE // 4 - 1


@pytest.mark.parametrize(("shape", "side"), [((24, 40), 6), ((40, 24), 6), ((7, 5), 1)])
def test_the_cut_is_a_square_of_a_quarter_of_the_shorter_side_and_lies_anywhere(
    shape, side
) -> None:
    views = strong(torch.randn(300, 8, *shape, generator=generator(1)), generator())
    # Cut pixels have one value in all channels.
    cut = (views == views[:, :1]).all(1)
    assert (cut.sum((1, 2)) == side * side).all()
    assert (cut.any(2).sum(1) == side).all()
    assert cut.any(0).any(0).all()
    assert cut.any(0).any(1).all()


def test_nothing_is_cut_out_of_a_map_that_is_too_small_for_it() -> None:
    views = strong(torch.randn(50, 8, 3, 9, generator=generator(1)), generator())
    assert not (views == views[:, :1]).all(1).any()
