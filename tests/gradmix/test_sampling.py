"""Streams of mini-batches and the standardisation of images."""

import pytest
import torch
from torch import nn

from gradmix.declarations.trunk import ConvTrunkConfig
from gradmix.networks import ConvTrunk
from gradmix.normalisation import standardise
from gradmix.sampling import ImageRows, Stream, UnlabelledStream


def numbered(n: int, batch_size: int, seed: int = 0) -> Stream:
    """A stream whose labels are the sample numbers."""
    images = torch.arange(n * 16, dtype=torch.uint8).reshape(n, 4, 4, 1)
    return Stream("S", images, torch.arange(n), "target", batch_size, seed)


def drawn(stream: Stream, steps: int) -> list[int]:
    return torch.cat([stream.next().labels for _ in range(steps)]).tolist()


def test_an_epoch_covers_every_sample_once_then_reshuffles() -> None:
    order = drawn(numbered(12, 4), 6)
    assert sorted(order[:12]) == list(range(12))
    assert sorted(order[12:]) == list(range(12))
    assert order[:12] != order[12:]


def test_epochs_run_on_across_batches_that_do_not_divide_them() -> None:
    order = drawn(numbered(10, 4), 15)
    assert all(sorted(order[i : i + 10]) == list(range(10)) for i in range(0, 60, 10))
    assert len(order) == 60


def test_images_stay_with_their_labels() -> None:
    images = torch.zeros(10, 4, 4, 1, dtype=torch.uint8)
    images[torch.arange(10), 0, torch.arange(10) % 4, 0] = 255
    batch = Stream("S", images, torch.arange(10), "far", 5, 0).next()
    assert batch.head == "far"
    brightest = batch.images.flatten(1).argmax(1)
    assert brightest.tolist() == (batch.labels % 4).tolist()


def test_the_seed_decides_the_order() -> None:
    assert drawn(numbered(12, 4, seed=3), 6) == drawn(numbered(12, 4, seed=3), 6)
    assert drawn(numbered(12, 4, seed=3), 6) != drawn(numbered(12, 4, seed=4), 6)


def test_a_stream_has_a_generator_of_its_own() -> None:
    stream = numbered(12, 4)
    before = torch.get_rng_state()
    first = drawn(stream, 2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    other = numbered(12, 4)
    torch.rand(5)
    assert drawn(other, 2) == first


@pytest.mark.parametrize("batch_size", [5, 6, 64])
def test_a_small_set_is_given_whole_and_in_order(batch_size) -> None:
    stream = numbered(5, batch_size)
    for _ in range(3):
        assert stream.next().labels.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("taken", [0, 1, 3, 4])
def test_a_restored_stream_goes_on_where_it_stood(taken) -> None:
    stream = numbered(10, 4)
    drawn(stream, taken) if taken else None
    state = stream.state_dict()
    expected = drawn(stream, 7)
    fresh = numbered(10, 4, seed=77)
    fresh.load_state_dict(state)
    assert drawn(fresh, 7) == expected
    fresh.load_state_dict(state)
    assert drawn(fresh, 7) == expected, "a state may be loaded twice"


def test_standardised_images_have_mean_zero_and_deviation_one_each() -> None:
    images = torch.randint(
        0, 256, (5, 6, 7, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    out = standardise(images)
    assert out.shape == (5, 3, 6, 7)
    assert out.is_contiguous(memory_format=torch.channels_last)
    flat = out.flatten(1)
    torch.testing.assert_close(flat.mean(1), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(flat.std(1, correction=0), torch.ones(5))
    # Channels last in, channels first out: no pixel moves.
    expected = images[2, 3, 4, 1].float() - images[2].float().mean()
    assert torch.sign(out[2, 1, 3, 4]) == torch.sign(expected)


def test_standardisation_by_hand() -> None:
    # Mean 10, deviation 10.
    out = standardise(torch.tensor([[[[0], [20]], [[20], [0]]]], dtype=torch.uint8))
    assert out.flatten().tolist() == pytest.approx([-1.0, 1.0, 1.0, -1.0])


def test_a_flat_image_becomes_zero_and_noise_below_a_grey_level_is_not_blown_up() -> None:
    assert not standardise(torch.full((1, 4, 4, 1), 200, dtype=torch.uint8)).any()
    nearly = torch.full((1, 4, 4, 1), 200, dtype=torch.uint8)
    nearly[0, 0, 0, 0] = 201
    # The deviation is sqrt(15)/16 < 1: the image is centred only, 201 - 200 1/16.
    assert standardise(nearly).max().item() == pytest.approx(15 / 16)


@pytest.mark.parametrize(
    ("n", "labels", "batch_size", "found"),
    [
        (0, 0, 4, "0 images and 0 labels"),
        (3, 2, 4, "3 images and 2 labels"),
        (3, 3, 0, "batch size of at least 1, found 0"),
    ],
)
def test_impossible_sets_are_refused_by_name(n, labels, batch_size, found) -> None:
    images = torch.zeros(n, 4, 4, 1, dtype=torch.uint8)
    with pytest.raises(ValueError, match=f"svhn: .*{found}"):
        Stream("svhn", images, torch.zeros(labels, dtype=torch.int64), "target", batch_size, 0)


def test_rows_of_a_larger_set_are_drawn_like_a_set_of_their_own() -> None:
    images = torch.randint(0, 256, (20, 4, 4, 1), dtype=torch.uint8)
    rows, labels = torch.tensor([17, 3, 8, 11, 5]), torch.arange(5)
    some = Stream("S", ImageRows(images, rows), labels, "far", 2, 0)
    own = Stream("S", images[rows], labels, "far", 2, 0)
    for _ in range(5):
        found, expected = some.next(), own.next()
        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.labels, expected.labels)


def test_feature_maps_are_given_as_they_are() -> None:
    maps = torch.randn(3, 2, 2, 5).half()
    found = UnlabelledStream("U", maps, 8, 0, "none").next()
    assert torch.equal(found, maps.float().permute(0, 3, 1, 2))
    assert found.is_contiguous(memory_format=torch.channels_last)


def noisy(n: int, channels: int = 1) -> torch.Tensor:
    """Images of noise around different greys; one in seven is flat, one nearly."""
    generator = torch.Generator().manual_seed(n)
    spread = torch.rand(n, 1, 1, 1, generator=generator) * 60.0
    spread[::7], spread[3::7] = 0.0, 0.5
    pixels = 128.0 + spread * torch.randn(n, 16, 16, channels, generator=generator)
    return pixels.clamp(0.0, 255.0).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 16])
def test_a_mini_batch_is_the_standardised_images_of_its_rows(batch_size, channels) -> None:
    images, rows = noisy(74, channels), torch.arange(73, -1, -2)
    whole = Stream("S", images, torch.arange(74), "target", batch_size, 0)
    some = Stream("S", ImageRows(images, rows), rows, "target", batch_size, 0)
    for stream in (whole, some):
        for _ in range(2 * 37 // batch_size):
            batch = stream.next()
            assert torch.equal(batch.images, standardise(images[batch.labels]))


def test_a_set_that_is_given_whole_is_normalised_once() -> None:
    stream = numbered(5, 8)
    first = stream.next().images
    assert stream.next().images is first
    assert torch.equal(first, standardise(torch.arange(80, dtype=torch.uint8).reshape(5, 4, 4, 1)))


def test_a_network_that_changes_its_input_in_place_does_not_change_the_next_batch() -> None:
    stream = numbered(5, 8)
    expected = stream.next().images.clone()
    nn.ReLU(inplace=True)(stream.next().images)
    assert torch.equal(stream.next().images, expected)


@pytest.mark.parametrize("batch_size", [4, 64])
def test_the_first_layer_keeps_one_channel_images_channels_last(batch_size) -> None:
    """Strides decide, and `.contiguous` does not change them if there is one channel.

    Without them, the first convolution and its max-pool fall back to the slower layout.
    """
    images = Stream("S", noisy(20), torch.arange(20), "target", batch_size, 0).next().images
    assert images.stride(1) == 1
    trunk = ConvTrunk(ConvTrunkConfig(widths=(4, 4, 8, 8)), (1, 16, 16))
    first = trunk.features[0](images)
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert not first.is_contiguous()
    # The trap: such a tensor already counts as channels_last and is returned unchanged.
    plain = torch.zeros(4, 1, 16, 16)
    still = trunk.features[0](plain.contiguous(memory_format=torch.channels_last))
    assert still.is_contiguous()
