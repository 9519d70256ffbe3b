"""Model cards, to be read before using a model."""

from collections.abc import Sequence

from data.counting import counted
from data.frames.sampling import USUAL_FRAMES
from tasks.models.description import ImageDescription, ModelDescription
from tasks.models.figures import percent, standard_error
from tasks.networks.names import TIMM

_NAMED_CLASSES = 50


def card_text(model: ModelDescription) -> str:
    """The model card, Markdown."""
    lineage = model.lineage
    return (
        "\n\n".join(
            [
                f"# {lineage.row}: {_classes_in_short(model.classes)}",
                _what(model),
                "## Figures",
                _figures(model),
                "## How to use it",
                _use(model),
                "## Data",
                "\n".join(f"- {line}" for line in lineage.data),
                "## What it reads",
                _inputs(model.images),
                "## Limits",
                _limits(model),
                "## Where it came from",
                _origin(model),
            ]
        )
        + "\n"
    )


def _what(model: ModelDescription) -> str:
    members = len(model.members)
    networks = "One network" if members == 1 else f"{members} networks, averaged,"
    of = "clip" if model.images.media == "clips" else "image"
    return (
        f"{networks} ({model.network.trunk}) that sorts each {of} into one of "
        f"{len(model.classes)} classes: {_listed(model.classes)}. Made by GradMix "
        f"{model.lineage.gradmix} with {counted(model.lineage.k, 'labelled sample')} per class."
    )


def _figures(model: ModelDescription) -> str:
    figures, clips = model.figures, model.images.media == "clips"
    of, unit = ("frames", " clips") if clips else ("images", "")
    over = " over clips, as frames of one clip are alike" if clips else ""
    lines = ["| measured on | accuracy | of |", "|---|---|---|"]
    if figures.hyper_validation_accuracy is not None:
        lines.append(
            f"| hyper-validation {of} | "
            f"{_with_error(figures.hyper_validation_accuracy, figures.hyper_validation_n)} | "
            f"{_count(figures.hyper_validation_n)}{unit} |"
        )
    if figures.test_accuracy is not None:
        lines.append(
            f"| test {of} | "
            f"{_with_error(figures.test_accuracy, figures.test_clips or figures.test_n)} | "
            f"{_count(figures.test_n)} |"
        )
    if figures.test_clip_accuracy is not None:
        lines.append(
            f"| test clips | {_with_error(figures.test_clip_accuracy, figures.test_clips)} | "
            f"{_count(figures.test_clips)} |"
        )
    notes = (
        f"± is one binomial standard error{over}. This model was the best of all rows, k and draws "
        "of its run on hyper-validation, so that figure flatters it; the test split, if there is "
        "one, was not used to choose anything."
    )
    return "\n".join(lines) + f"\n\n{notes}"


def _use(model: ModelDescription) -> str:
    what = "clips/" if model.images.media == "clips" else "photos/"
    return (
        "```\n"
        f"gradmix predict MODEL {what} --out labels.csv\n"
        "gradmix export MODEL --format onnx --out model.onnx\n"
        "mlflow models serve -m models:/NAME@champion --env-manager local\n"
        "```\n\n"
        "MODEL is this folder; NAME is that of the registered model in MLflow. `model.json` "
        "describes everything; the weights are safetensors, without code."
    )


def _inputs(images: ImageDescription) -> str:
    lines = [
        f"- the {images.crop} of a picture, its shorter side scaled to {images.side} pixels by "
        f"Pillow's *bilinear* filter with antialiasing; other filters silently cost accuracy"
    ]
    if images.channels == 1:
        lines.append(f"- its luminance ({images.grey}), one channel")
    if images.media == "clips":
        lines.append(
            f"- for a clip, {_frames(images)}, each stored once as JPEG; the mean of their "
            "probabilities decides"
        )
    return "\n".join(lines)


def _frames(images: ImageDescription) -> str:
    if images.every is not None:
        return f"every frame whose number is a multiple of {images.every}"
    return f"{images.frames or USUAL_FRAMES} evenly spaced frames"


def _limits(model: ModelDescription) -> str:
    lines = [
        "- It always answers with one of its classes, even for anything else.",
        "- Confidence is the network's own and not calibrated.",
        "- Pictures unlike the target's (another camera, another style) are outside of what was "
        "measured.",
    ]
    if model.network.trunk.startswith(TIMM):
        lines.append("- Its trunk is a model of timm, which `pip install 'gradmix[timm]'` brings.")
    if model.network.code is not None:
        lines.append(
            f"- Its trunk is user code, `{model.network.trunk}`, which must be "
            "importable, with the same bytes."
        )
    return "\n".join(lines)


def _origin(model: ModelDescription) -> str:
    lineage = model.lineage
    dirty = ", with uncommitted changes" if lineage.git_dirty else ""
    lines = [
        f"- run `{lineage.reproduction}`, row {lineage.row}, k = {lineage.k}, draw {lineage.draw}",
        f"- command `{lineage.command}`",
        f"- GradMix {lineage.gradmix}, commit {lineage.git_commit or 'unknown'}{dirty}",
        f"- MLflow run `{lineage.run_id}`",
        *(
            f"- `{member.file}`: {member.method}, training `{member.identity[:12]}`, MLflow run "
            f"`{member.run_id}`"
            for member in model.members
        ),
    ]
    return "\n".join(lines)


def _with_error(accuracy: float, n: int | None) -> str:
    error = standard_error(accuracy, n)
    return percent(accuracy) + (f" ± {100 * error:.1f}" if error is not None else "")


def _count(n: int | None) -> str:
    return f"{n:,}" if n is not None else "unknown"


def _listed(classes: Sequence[str]) -> str:
    more = len(classes) - _NAMED_CLASSES
    return ", ".join(classes[:_NAMED_CLASSES]) + (f" and {more} more" if more > 0 else "")


def _classes_in_short(classes: Sequence[str]) -> str:
    return _listed(classes) if len(classes) <= 5 else f"{len(classes)} classes"
