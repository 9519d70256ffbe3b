"""The report of a reproduction, made from its record alone: HTML, Markdown, figures, CSV."""

from pathlib import Path

from data.atomic import write_atomically
from tasks.reporting.csv_files import sheets
from tasks.reporting.figures import draw_figure
from tasks.reporting.record import PAGE, Record
from tasks.reporting.render.captions import PICTURES
from tasks.reporting.render.html_page import html_page, pictures
from tasks.reporting.result_table import result_table, table_text
from tasks.reporting.sections.attention import attention_section
from tasks.reporting.sections.champion import champion_section
from tasks.reporting.sections.curves import curve_section
from tasks.reporting.sections.deviations import paper_section
from tasks.reporting.sections.differences import difference_section
from tasks.reporting.sections.ensemble_size import sweep_section
from tasks.reporting.sections.grid import grid_section
from tasks.reporting.sections.labelled import labelled_section
from tasks.reporting.sections.mlflow_runs import pages
from tasks.reporting.sections.overhead import overhead_section
from tasks.reporting.sections.procedure import (
    again_section,
    facts,
    missing_outputs,
    opening,
    provenance_section,
    selection_section,
)
from tasks.reporting.sections.pseudo_labels import pseudo_label_section
from tasks.reporting.sections.results import hyper_validation_section, result_section
from tasks.reporting.sections.source_study import label_section, source_section
from tasks.reporting.sections.studies import rho_section, size_section
from tasks.reporting.text_tables import markdown_cell

XML = '<?xml version="1.0" encoding="utf-8"?>\n'

__all__ = ["markdown_report", "result_table", "table_text", "write_report"]


def write_report(record: Record, folder: Path) -> list[Path]:
    """Write `report.md`, the CSV files, `figures/` and `report.html`; returns their paths."""
    text = markdown_report(record)
    drawings = {name: draw_figure(name, record) for name in pictures(text)}
    texts = {
        "report.md": text,
        **sheets(record),
        **{f"{PICTURES}/{name}.svg": XML + drawing for name, drawing in drawings.items()},
        PAGE: html_page(text, drawings, pages(record)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    if drawings:
        (folder / PICTURES).mkdir(exist_ok=True)
    for name, content in texts.items():
        write_atomically(folder / name, content)
    return [folder / name for name in texts]


def markdown_report(record: Record) -> str:
    """The whole report, without empty sections."""
    sections = [
        f"# {markdown_cell(record.title)}",
        champion_section(record),
        opening(record),
        facts(record),
        missing_outputs(record),
        labelled_section(record),
        result_section(record),
        attention_section(record),
        difference_section(record),
        grid_section(record),
        curve_section(record),
        sweep_section(record),
        pseudo_label_section(record),
        rho_section(record),
        size_section(record),
        source_section(record),
        label_section(record),
        overhead_section(record),
        hyper_validation_section(record),
        selection_section(record),
        paper_section(record),
        provenance_section(record),
        again_section(record),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"
