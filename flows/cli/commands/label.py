"""`gradmix label`: write labels of a finished run with a stated precision."""

from pathlib import Path

from data.paths import expanded
from flows.cli.console import expect_home, open_console, short
from flows.labelling.ensemble_run import find_ensemble
from flows.labelling.labels import Wanted, shown, write_labels


def label(
    run: str | None,
    *,
    precision: float,
    confidence: float,
    out: str,
    everything: bool,
    checked: str | None,
    k: int | None,
    draw: int | None,
    home: Path,
) -> None:
    """Write the table and print what is proven about it."""
    expect_home(home)
    found = find_ensemble(run, home, k, draw)
    wanted = Wanted(
        precision=precision,
        confidence=confidence,
        out=expanded(out),
        everything=everything,
        checked=None if checked is None else expanded(checked),
    )
    written = write_labels(found, wanted)
    console = open_console()
    what = "clips" if found.labels.clips else "images"
    place = f"{found.record.name}, k={found.labels.k} draw={found.labels.draw}"
    console.print(
        f"{written.labelled:,} of {written.of:,} {what} labelled ({place}): {short(written.path)}",
        soft_wrap=True,
    )
    console.print(shown(written.certificate), soft_wrap=True)
    if checked is None:
        console.print(
            f"It holds for {what} like the held-out ones, which also chose the models; to check a "
            "random sample instead, see --checked and docs/labels.md.",
            soft_wrap=True,
        )
