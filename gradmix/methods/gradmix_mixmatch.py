"""GradMix with MixMatch on U (§3.6): guessed labels, sharpened and mixed with V's."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gradmix.declarations.methods.gradmix_mixmatch import DECLARATION, GradMixMixMatchConfig
from gradmix.sampling import Batch
from gradmix.unlabelled.augmentation import weak
from gradmix.unlabelled.semi_supervised import SemiSupervised, ramped


class GradMixMixMatch(SemiSupervised):
    """GradMix with MixMatch's loss on U, and V as the labelled set.

    Labelled and unlabelled mixtures share one pass, since batch norm needs a representative batch.
    Only this pass updates the running statistics.
    """

    declaration = DECLARATION
    config: GradMixMixMatchConfig

    def unlabelled_loss(self, images: Tensor, target: Batch) -> Tensor:
        """Cross entropy of V's mixtures plus the ramped squared error of U's."""
        labelled = len(target.images)
        views = torch.cat([target.images, images, images])
        views = weak(views, self.generator, flip=self.config.flip)
        guesses = self.guesses(views[labelled:], target.head)
        labels = torch.cat([distributions(target.labels, guesses), guesses, guesses])
        views, labels = self.mixtures(views, labels)
        logits = self.logits(views, target.head, update_statistics=True)
        weight = self.ramped_weight()
        return functional.cross_entropy(
            logits[:labelled], labels[:labelled]
        ) + weight * functional.mse_loss(logits[labelled:].softmax(1), labels[labelled:])

    @torch.no_grad()
    def guesses(self, views: Tensor, head: str) -> Tensor:
        """Sharpened mean predictions [B, C] over two views of each image [2 B, channels, H, W]."""
        first, second = self.logits(views, head).softmax(1).chunk(2)
        return sharpened((first + second) / 2.0, self.config.temperature)

    def mixtures(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mix every sample with another one of the batch, keeping at least half of the sample.

        Args:
            images: [N, C, H, W].
            labels: distributions [N, classes].
        """
        partners = torch.randperm(len(images), generator=self.generator).to(images.device)
        shares = self.shares(len(images)).to(images)
        mixed = images[partners].lerp(images, shares[:, None, None, None])
        return mixed, labels[partners].lerp(labels, shares[:, None])

    def shares(self, size: int) -> Tensor:
        """Draw max(lambda, 1 - lambda) with lambda from Beta(alpha, alpha), [size] on the CPU.

        Drawn by NumPy, since torch's beta distribution takes no generator.
        """
        seed = int(torch.randint(2**62, (), generator=self.generator))
        drawn = np.random.default_rng(seed).beta(self.config.alpha, self.config.alpha, size)
        return torch.from_numpy(np.maximum(drawn, 1.0 - drawn))

    def ramped_weight(self) -> float:
        """Weight of the squared error at the current step."""
        return self.config.consistency_weight * ramped(self.progress, self.config.ramp)


def sharpened(probabilities: Tensor, temperature: float) -> Tensor:
    """Distributions [B, C] to the power of 1 / temperature, normalised."""
    return (probabilities.log() / temperature).softmax(1)


def distributions(labels: Tensor, like: Tensor) -> Tensor:
    """Class numbers [B] or distributions [B, C] as distributions with the dtype of `like`."""
    if torch.is_floating_point(labels):
        return labels.to(like)
    return functional.one_hot(labels, like.shape[1]).to(like)
