"""Normalisation of grey levels."""

import math
from fractions import Fraction

import pytest
import torch

from gradmix.normalisation import PIECE, _exact_statistics, normalise, standardise


def test_imagenet_colours_are_those_of_torchvisions_weights() -> None:
    from torchvision.models import ResNet18_Weights

    transforms = ResNet18_Weights.IMAGENET1K_V1.transforms()
    images = torch.randint(0, 256, (2, 4, 6, 3), dtype=torch.uint8)
    pixels = images.permute(0, 3, 1, 2) / 255
    mean, deviation = (
        torch.tensor(values)[:, None, None] for values in (transforms.mean, transforms.std)
    )
    torch.testing.assert_close(normalise(images, "imagenet"), (pixels - mean) / deviation)


def test_half_brings_black_and_white_to_minus_one_and_one() -> None:
    images = torch.tensor([0, 255, 51], dtype=torch.uint8).reshape(1, 1, 3, 1)
    assert normalise(images, "half").flatten().tolist() == pytest.approx([-1.0, 1.0, -0.6])


@pytest.mark.parametrize("kind", ["image", "imagenet", "half", "none"])
def test_what_a_network_reads_is_channels_last_in_memory(kind) -> None:
    found = normalise(torch.randint(0, 256, (2, 4, 6, 3), dtype=torch.uint8), kind)
    assert found.shape == (2, 3, 4, 6)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_squares_of_a_piece_of_bytes_sum_to_less_than_single_precision_counts_exactly() -> None:
    assert PIECE * 255**2 < 2**24


def bytes_of(shape: tuple[int, ...], spread: float) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    grey = 128 + spread * torch.randn(4, *shape, generator=noise)
    return grey.clamp(0, 255).to(torch.uint8)


SHAPES = [(32, 32, 1), (32, 32, 3), (31, 7, 1), (224, 224, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [1.0, 20.0, 300.0])
def test_images_are_standardised_to_the_bit_as_by_torch(shape, spread) -> None:
    images = bytes_of(shape, spread)
    pixels = images.permute(0, 3, 1, 2).float()
    deviation, mean = torch.std_mean(pixels, dim=(1, 2, 3), keepdim=True, correction=0)
    assert torch.equal(standardise(images), (pixels - mean) / deviation.clamp_min(1.0))


@pytest.mark.parametrize("shape", [*SHAPES, (512, 512, 1)])
def test_statistics_are_those_of_integer_sums(shape) -> None:
    """Of 512 x 512 pixels the exact mean may lie between two floats, where `std_mean` varies."""
    images = bytes_of(shape, 60.0)
    mean, deviation = _exact_statistics(images.permute(0, 3, 1, 2).float())
    whole = images.long().flatten(1)
    sums = zip(whole.sum(1).tolist(), (whole * whole).sum(1).tolist(), strict=True)
    for (total, squares), found, spread in zip(
        sums, mean.flatten(), deviation.flatten(), strict=True
    ):
        n = whole.shape[1]
        variance = Fraction(n * squares - total**2, n**2)
        assert found.item() == torch.tensor(total / n).item()
        assert spread.item() == torch.tensor(math.sqrt(variance)).item()


def test_no_images_are_standardised_to_none() -> None:
    assert standardise(torch.empty(0, 8, 8, 3, dtype=torch.uint8)).shape == (0, 3, 8, 8)


def test_a_flat_image_of_other_values_than_bytes_becomes_zero_too() -> None:
    images = torch.linspace(0.01, 250.0, 400)[:, None, None, None].expand(400, 30, 31, 3)
    assert standardise(images).abs().max() < 1e-4
