"""`gradmix export`: export a model for another runtime."""

from pathlib import Path

from data.paths import expanded
from flows.cli.console import open_console, short
from flows.cli.model_argument import model_folder
from tasks.models.export import Format, export_model
from tasks.models.network import load_model_folder


def export(model: str, *, where: Path, file_format: Format, out: str) -> None:
    """Write the file, and print how far its output differs from the model's."""
    target = expanded(out)
    with model_folder(model, where) as folder:
        difference = export_model(load_model_folder(folder), file_format, target)
    open_console().print(
        f"{short(target)}: differs from the model by at most {difference:.1e}", soft_wrap=True
    )
