"""A flipped sign in a method must make that method's own tests fail."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PYTEST = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]

# File, original text, replacement, tests that must fail.
MUTATIONS = {
    "Eq. 9": ("mixing.py", "-z)) if z >= 0", "z)) if z >= 0", "test_mixing.py"),
    "rho": ("layer_weights.py", "sum(s.cosine", "-sum(s.cosine", "methods/test_gradmix.py"),
    "the step": ("optimiser.py", "alpha=-rate", "alpha=rate", "methods/test_source_only.py"),
    "AdamW's step": ("optimiser.py", "value=-rate", "value=rate", "test_optimiser.py"),
    "AdamW's decay": ("optimiser.py", "1.0 - rate *", "1.0 + rate *", "test_optimiser.py"),
    "the cosine schedule": (
        "optimiser.py",
        "(1.0 + math.cos",
        "(1.0 - math.cos",
        "test_optimiser.py",
    ),
    "V on the trunk": (
        "steering.py",
        "self.flat.gradient[trunk] += ",
        "self.flat.gradient[trunk] -= ",
        "methods/test_gradmix.py",
    ),
    "MME's entropy": (
        "methods/mme.py",
        "(-self.config.entropy",
        "(self.config.entropy",
        "methods/test_mme.py",
    ),
    "MME's reversal": ("methods/mme.py", ".neg_()", ".abs_()", "methods/test_mme.py"),
    "MDDA's entropy": (
        "methods/mdda.py",
        "supervised + self.config.entropy_weight",
        "supervised - self.config.entropy_weight",
        "methods/test_mdda.py",
    ),
    "EnergyNet's energies": (
        "alignment/energy.py",
        "margin - energies.gather(1, true) + energies",
        "margin + energies.gather(1, true) - energies",
        "alignment/test_energy.py",
    ),
    "EnergyNet's scores": (
        "alignment/energy.py",
        "scores + energies",
        "scores - energies",
        "alignment/test_energy.py",
    ),
    "EnergyNet's hard positive": (
        "alignment/energy.py",
        "distances.where(positive, -torch.inf).argmax(1)",
        "distances.where(positive, torch.inf).argmin(1)",
        "alignment/test_energy.py",
    ),
    "EnergyNet's loss": (
        "methods/energynet.py",
        "plain + config.energy_weight * energy",
        "plain - config.energy_weight * energy",
        "methods/test_energynet.py",
    ),
    "DCTN's confusion": (
        "methods/dctn.py",
        "plain + self.config.adversary_weight",
        "plain - self.config.adversary_weight",
        "methods/test_dctn.py",
    ),
    "DCTN's discriminator": (
        "alignment/adversary.py",
        "softplus(-of_source)",
        "softplus(of_source)",
        "alignment/test_adversary.py",
    ),
    "DCTN's mining": (
        "methods/dctn.py",
        "hardest = max(",
        "hardest = min(",
        "methods/test_dctn.py",
    ),
    "VAT's direction": (
        "methods/gradmix_vat.py",
        "direction = normalise(gradient)",
        "direction = normalise(-gradient)",
        "methods/test_gradmix_vat.py",
    ),
    "MixMatch's sharpening": (
        "methods/gradmix_mixmatch.py",
        "probabilities.log() / temperature",
        "probabilities.log() * temperature",
        "methods/test_gradmix_mixmatch.py",
    ),
    "FixMatch's threshold": (
        "unlabelled/confident_guesses.py",
        "probability >= threshold",
        "probability < threshold",
        "unlabelled/test_confident_guesses.py",
    ),
    "SoftMatch's Gaussian": (
        "unlabelled/soft_weights.py",
        "(-below.square()",
        "(below.square()",
        "unlabelled/test_soft_weights.py",
    ),
    "SoftMatch's truncation": (
        "unlabelled/soft_weights.py",
        ".clamp_max(0.0)",
        ".clamp_min(0.0)",
        "unlabelled/test_soft_weights.py",
    ),
    "SoftMatch's loss": (
        "unlabelled/semi_supervised.py",
        """        value = self.unlabelled_loss(images, labelled)
""",
        """        value = -self.unlabelled_loss(images, labelled)
""",
        "methods/test_softmatch.py",
    ),
    "GradMix's loss on U": (
        "unlabelled/semi_supervised.py",
        """        value = self.unlabelled_loss(images, target)
""",
        """        value = -self.unlabelled_loss(images, target)
""",
        "methods/test_gradmix_softmatch.py",
    ),
    "AdaMatch's alignment": (
        "unlabelled/semi_supervised.py",
        "ratio = (wanted + SMALLEST_FREQUENCY) / (found + SMALLEST_FREQUENCY)",
        "ratio = (found + SMALLEST_FREQUENCY) / (wanted + SMALLEST_FREQUENCY)",
        "methods/test_adamatch.py",
    ),
    "AdaMatch's threshold": (
        "methods/adamatch.py",
        "labels.amax(1) >= self",
        "labels.amax(1) < self",
        "methods/test_adamatch.py",
    ),
    "AdaMatch's ramp": (
        "methods/adamatch.py",
        "0.5 - 0.5 * math.cos",
        "0.5 + 0.5 * math.cos",
        "methods/test_adamatch.py",
    ),
    "AdaMatch's loss": (
        "methods/adamatch.py",
        "(labelled + weight *",
        "(labelled - weight *",
        "methods/test_adamatch.py",
    ),
    "DoGE's scores": ("methods/doge.py", "[row @ target", "[-row @ target", "methods/test_doge.py"),
    "DoGE's weights": (
        "methods/doge.py",
        "math.exp(rate * (s - most))",
        "math.exp(rate * (most - s))",
        "methods/test_doge.py",
    ),
    "UPGrad's projections": (
        "solving/conflicts.py",
        "[-norms[j]",
        "[norms[j]",
        "solving/test_conflicts.py",
    ),
    "SLA's distances": (
        "methods/sla.py",
        "(-self.config.temperature",
        "(self.config.temperature",
        "methods/test_sla.py",
    ),
    "SLA's labels": (
        "methods/sla.py",
        "own + alpha * functional",
        "own - alpha * functional",
        "methods/test_sla.py",
    ),
    "GradMix SGD's descent": (
        "methods/gradmix_sgd.py",
        "weights + self.config.weight_rate",
        "weights - self.config.weight_rate",
        "methods/test_gradmix_sgd.py",
    ),
}


def exit_code(copy: Path, tests: str) -> int:
    """Exit code of one test file on a copy of the core."""
    return subprocess.run(
        [*PYTEST, str(copy / "tests" / "gradmix" / tests)],
        cwd=copy,
        env={"PYTHONPATH": str(copy), "PATH": "", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        check=False,
    ).returncode


@cache
def exit_code_before(copy: Path, tests: str) -> int:
    """Exit code before any change."""
    return exit_code(copy, tests)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the core with its tests, which pass."""
    copy = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("gradmix", "data", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_flipped_sign_fails_a_test(copied: Path, name: str) -> None:
    file, there, instead, tests = MUTATIONS[name]
    path = copied / "gradmix" / file
    text = path.read_text(encoding="utf-8")
    assert text.count(there) == 1
    assert exit_code_before(copied, tests) == 0
    path.write_text(text.replace(there, instead), encoding="utf-8")
    try:
        assert exit_code(copied, tests) == 1
    finally:
        path.write_text(text, encoding="utf-8")
