"""`gradmix review`: serve a page to confirm and correct labels."""

import webbrowser
from pathlib import Path

from data.paths import expanded
from flows.cli.console import expect_home, open_console, short
from flows.labelling.ensemble_run import find_ensemble
from flows.labelling.files import experiment_folder
from flows.records.stored import record_folder
from flows.review.serve import ReviewSettings, serve
from tasks.reporting.record import Record

FILE = "corrections.csv"


def review(
    run: str | None,
    *,
    port: int,
    no_browser: bool,
    out: str | None,
    suggest: int,
    seed: int,
    k: int | None,
    draw: int | None,
    home: Path,
) -> None:
    """Serve the page until Ctrl-C, and open it in a browser."""
    expect_home(home)
    found = find_ensemble(run, home, k, draw)
    table = (expanded(out) if out else _usual_table(found.record, home)).absolute()
    console = open_console()

    def announce(address: str) -> None:
        console.print(f"Review of {found.record.name}: {address}", soft_wrap=True)
        console.print(f"Decisions go to {short(table)}. Ctrl-C ends it.", soft_wrap=True)
        if not no_browser:
            webbrowser.open(address)

    serve(found, ReviewSettings(table=table, port=port, count=suggest, seed=seed), announce)


def _usual_table(record: Record, home: Path) -> Path:
    """Default table: the experiment's corrections, else a file next to it or the run's report."""
    if record.labelled is not None and record.labelled.corrections_file is not None:
        return Path(record.labelled.corrections_file)
    return (experiment_folder(record) or record_folder(record.name, home)) / FILE
