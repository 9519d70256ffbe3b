"""The networks of a model folder, from stored images to class probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from data.fingerprint import sha256_file
from gradmix.declarations.methods import METHODS, method_named
from gradmix.declarations.trunk import Shape
from gradmix.grouping import HEADS
from gradmix.methods import method_class
from gradmix.networks import Network
from gradmix.normalisation import normalise
from gradmix.problem import TARGET_HEAD
from tasks.models.description import (
    MemberDescription,
    ModelDescription,
    ModelError,
    read_description,
)
from tasks.networks.declared import code_digest
from tasks.networks.description import NetworkDescription
from tasks.networks.names import TIMM
from tasks.networks.parts import frozen_part, trained_part


class WholeNetwork(nn.Module):
    """A trained network with the frozen part of its trunk in front, if it has one.

    Args:
        network: trunk, or its trained part, and the target's head.
        description: description of the trunk.
        frozen: frozen part of the trunk; None if `network` has all of it.
    """

    def __init__(
        self, network: Network, description: NetworkDescription, frozen: nn.Module | None
    ) -> None:
        super().__init__()
        self.network, self.frozen = network, frozen
        self.normalisation = description.normalisation

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, classes] of stored images, uint8 [B, H, W, C].

        Maps of a frozen part are rounded to half precision, as they were stored for training.
        """
        x = normalise(images, self.normalisation)
        if self.frozen is not None:
            maps = self.frozen(x).permute(0, 2, 3, 1).half().contiguous()
            x = normalise(maps, "none")
        logits: Tensor = self.network(x, TARGET_HEAD)
        return logits


class Ensemble(nn.Module):
    """The members of a model."""

    def __init__(self, members: Sequence[WholeNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities [R, B, classes] of every member, for stored images uint8 [B, H, W, C]."""
        return torch.stack([member(images).softmax(1) for member in self.members])


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model that is ready to predict.

    Attributes:
        description: description of the model.
        networks: its members, in evaluation mode.
        digest: SHA-256 of `model.json`, which contains those of the weights.
    """

    description: ModelDescription
    networks: Ensemble
    digest: str

    def probabilities(self, images: Tensor) -> Tensor:
        """Probabilities [R, B, classes] of uint8 [B, H, W, C], on the CPU."""
        device = next(self.networks.parameters()).device
        with torch.inference_mode():
            found: Tensor = self.networks(images.to(device, non_blocking=True))
            return found.float().cpu()


def load_model_folder(folder: Path, device: torch.device | None = None) -> Model:
    """Build the networks of a model folder and load the weights, checking their digests.

    Args:
        folder: folder of the model.
        device: device for the networks; None for the CPU.

    Raises:
        ModelError: if a file is missing or damaged, or the weights do not fit.
        StageError: if a user-defined trunk cannot be made.
    """
    description = read_description(folder)
    _check_code(description.network)
    members = []
    for member in description.members:
        state = _weights(folder, member, description.files[member.file])
        whole = build_whole(description, member)
        try:
            whole.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(
                f"{folder / member.file}: expected the weights of {description.network.trunk} "
                f"trained by {member.method}, found others ({' '.join(str(error).split())[:200]}); "
                "use the version of gradmix that wrote the model."
            ) from error
        members.append(whole)
    networks = Ensemble(members).to(device or torch.device("cpu")).eval()
    return Model(
        description=description, networks=networks, digest=sha256_file(folder / "model.json")
    )


def build_whole(description: ModelDescription, member: MemberDescription) -> WholeNetwork:
    """A member's network as left by its method, without the sources' heads; random weights."""
    side, trunk_of = description.images.side, description.network
    shape: Shape = (description.images.channels, side, side)
    if member.method not in METHODS:
        raise ModelError(
            f"expected a model trained by one of {', '.join(METHODS)}, found {member.method!r}; "
            "use the version of gradmix that wrote it."
        )
    # The random weights are overwritten; drawing them must not affect other random numbers.
    with torch.random.fork_rng(devices=[]):
        network_of, frozen = asdict(trunk_of), None
        if trunk_of.frozen:
            frozen = frozen_part(network_of, None, shape)
            with torch.no_grad():
                maps = frozen(torch.zeros(1, *shape))
            shape = (maps.shape[1], maps.shape[2], maps.shape[3])
        trunk = trained_part(network_of, None, shape)
        network = Network(trunk, {TARGET_HEAD: len(description.classes)}, shape)
        method_class(method_named(member.method)).adapt(network, member.sources)
    heads = network.get_submodule(HEADS)
    network.heads = nn.ModuleDict({TARGET_HEAD: heads.get_submodule(TARGET_HEAD)})
    return WholeNetwork(network, trunk_of, frozen).eval()


def of_the_target(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A training's state, without heads that the target does not use."""
    kept = f"{HEADS}.{TARGET_HEAD}."
    return {
        name: value
        for name, value in state.items()
        if not name.startswith(f"{HEADS}.") or name.startswith(kept)
    }


def _weights(folder: Path, member: MemberDescription, digest: str) -> dict[str, Tensor]:
    path = folder / member.file
    try:
        found = sha256_file(path)
        if found == digest:
            state: dict[str, Tensor] = load_file(path)
            return state
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"expected weights that can be read at {path}, found none ({error}); copy the whole "
            "model folder."
        ) from error
    raise ModelError(
        f"{path}: expected SHA-256 {digest[:12]}, found {found[:12]}; it was changed or damaged: "
        "copy the model folder again."
    )


def _check_code(network: NetworkDescription) -> None:
    """Check that the file of a user-defined trunk is unchanged."""
    if network.trunk.startswith(TIMM):
        # Another version of timm will do as long as the weights have its names and shapes.
        return
    if network.code is not None and (found := code_digest(network.trunk)) != network.code:
        raise ModelError(
            f"expected the file of {network.trunk} with SHA-256 {network.code[:12]}, with which "
            f"the model was trained, found {str(found)[:12]}; put that file back."
        )
