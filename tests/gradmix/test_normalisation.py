"""Normalisation of grey levels."""

import pytest
import torch

from gradmix.normalisation import normalise


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
