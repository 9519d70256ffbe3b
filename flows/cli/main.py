"""The command line, except the commands of `deploy.cli`: names, options and help.

To add a command: write its function in a module of `flows.cli.commands`, and declare it here.
"""

import click

from flows.cli.lazy import LazyCommand, OneLineGroup, RunCommand
from flows.cli.options import DOWNLOAD, ENGINE, HOME, INIT, MODEL, OWN, RUN, SHARE


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradmix")
def main() -> None:
    """GradMix: multi-source transfer across domains and tasks."""


COMMANDS: list[LazyCommand] = [
    LazyCommand(
        "init",
        "flows.cli.commands.init:init",
        INIT,
        summary="""Write a commented experiment file from the folders in DIR.

        Folders are recognised by their names (labelled, unlabelled, test; others with a folder per
        class are sources) and by their structure; use options to name them where that is unclear.
        Each is a folder, or a CSV or Parquet table. Prints what was found.
        """,
        example="init kitchen --source web",
    ),
    RunCommand(
        "check",
        "flows.cli.commands.check:check",
        [parameter for parameter in RUN if parameter is not DOWNLOAD],
        summary="""Find problems in an experiment and its files before anything runs.

        Prints what was found, what the run needs, one line for each warning, and all problems at
        once.
        """,
        example="check kitchen.toml",
    ),
    RunCommand(
        "run",
        "flows.cli.commands.run:run",
        [*OWN, ENGINE],
        summary="Train on your own files, named in FILE; finished work is reused.",
        example="run kitchen.toml",
        needs=["mlflow"],
    ),
    RunCommand(
        "reproduce",
        "flows.cli.commands.reproduce:reproduce",
        [*RUN, ENGINE],
        summary="Run an experiment from raw data to its report; finished work is reused.",
        example="reproduce digits --scale small --data DIR --k 3",
        needs=["mlflow"],
    ),
    RunCommand(
        "plan",
        "flows.cli.commands.plan:plan",
        RUN,
        summary="Show every stage: cached, will run, or stale and why.",
        example="plan digits --scale small --data DIR",
    ),
    RunCommand(
        "rerun",
        "flows.cli.commands.rerun:rerun",
        [
            *RUN,
            ENGINE,
            click.Option(
                ["--cell"], required=True, help="beta=B,gamma=G and, optionally, k=K,draw=D."
            ),
            click.Option(["--force"], is_flag=True, help="Run it even if it is finished."),
        ],
        summary="Run one cell of the grid and everything made from it; list what ran.",
        example="rerun digits --cell beta=10,gamma=0.6,k=3,draw=0 --force",
        needs=["prefect", "mlflow"],
    ),
    LazyCommand(
        "status",
        "flows.cli.commands.status:status",
        [
            HOME,
            click.Option(["--watch"], is_flag=True, help="Repeat until Ctrl-C."),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, once."),
        ],
        summary="Show what is running: cells, slots, steps, times left, and the fleet.",
        example="status --watch",
    ),
    LazyCommand(
        "cancel",
        "flows.cli.commands.cancel:cancel",
        [click.Argument(["name"], required=False), HOME],
        summary="Stop the reproduction NAME, or all of them; finished work is kept.",
        example="cancel digits-demo-4c53abc2",
        needs=["prefect"],
    ),
    LazyCommand(
        "report",
        "flows.cli.commands.report:report",
        [
            click.Argument(["run"], required=False),
            click.Option(
                ["--all", "everything"],
                is_flag=True,
                help="Write one page of all cells in the home instead.",
            ),
            HOME,
        ],
        summary="""Rewrite the report of a finished RUN, or write one page of all cells.

        RUN is its name or MLflow run id.
        """,
        example="report digits-demo-4c53abc2",
    ),
    LazyCommand(
        "label",
        "flows.cli.commands.label:label",
        [
            click.Argument(["run"], required=False),
            click.Option(
                ["--precision"],
                type=SHARE,
                default=0.97,
                show_default=True,
                help="Share of correct labels to guarantee.",
            ),
            click.Option(
                ["--confidence"],
                type=SHARE,
                default=0.95,
                show_default=True,
                help="Confidence level of that guarantee.",
            ),
            click.Option(
                ["--out"],
                type=click.Path(),
                default="labels.csv",
                show_default=True,
                help="Table to write: .csv or .parquet.",
            ),
            click.Option(
                ["--checked"],
                type=click.Path(),
                help="Corrections of a review, whose control replaces the held-out labels.",
            ),
            click.Option(
                ["--all", "everything"], is_flag=True, help="Also list files without a label."
            ),
            click.Option(["--k"], type=int, help="Labels per class; by default the most."),
            click.Option(["--draw"], type=int, help="Number of the draw; by default the first."),
            HOME,
        ],
        summary="Write labels with a stated precision; RUN is the latest by default.",
        example="label --precision 0.97 --confidence 0.95 --out labels.csv",
        needs=["mlflow"],
    ),
    LazyCommand(
        "review",
        "flows.cli.commands.review:review",
        [
            click.Argument(["run"], required=False),
            click.Option(
                ["--port"],
                type=click.IntRange(0, 65535),
                default=0,
                help="Local port of the page; by default a free one.",
            ),
            click.Option(["--no-browser"], is_flag=True, help="Open no browser."),
            click.Option(
                ["--out"],
                type=click.Path(),
                help="Table of the decisions; by default corrections.csv next to the experiment.",
            ),
            click.Option(
                ["--suggest"],
                type=click.IntRange(min=0),
                default=20,
                show_default=True,
                help="Images to label next, and as many at random.",
            ),
            click.Option(
                ["--seed"], type=click.IntRange(min=0), default=0, help="Seed of the random ones."
            ),
            click.Option(["--k"], type=int, help="Labels per class; by default the most."),
            click.Option(["--draw"], type=int, help="Number of the draw; by default the first."),
            HOME,
        ],
        summary="""Open a page to confirm and correct the labels of the latest RUN.

        Every decision is saved at once, as a row with path, decision and label.
        """,
        example="review --out corrections.csv",
        needs=["mlflow"],
    ),
    LazyCommand(
        "lineage",
        "flows.cli.commands.lineage:lineage",
        [
            click.Argument(["what"]),
            HOME,
            click.Option(["--json", "as_json"], is_flag=True, help="Print nodes and edges."),
            click.Option(["--html"], type=click.Path(), help="Write the graph to this page."),
            click.Option(["--row"], help="A row of a reproduction's table."),
            click.Option(["--k"], type=int, help="With --row: labels per class."),
            click.Option(["--draw"], type=int, help="With --row: number of the draw."),
        ],
        summary="""Show the chain from WHAT back to the raw files.

        WHAT is an MLflow run or model id or its first digits, a registered model (NAME,
        NAME@champion, or champion if there is only one), a pseudo_labels.parquet file, or the name
        of a reproduction: with --row, for one number of its report.
        """,
        example="lineage gradmix-digits-demo@champion --html chain.html",
        needs=["mlflow"],
    ),
    LazyCommand(
        "predict",
        "flows.cli.commands.predict:predict",
        [
            *MODEL,
            click.Argument(["paths"], nargs=-1, required=True, type=click.Path()),
            click.Option(["--out"], required=True, type=click.Path(), help="*.csv or *.parquet."),
            click.Option(
                ["--batch-size"],
                type=click.IntRange(min=1),
                default=64,
                show_default=True,
                help="Images or frames per batch.",
            ),
            click.Option(
                ["--device"], help="cpu, cuda, cuda:1 or mps; by default a GPU if there is one."
            ),
        ],
        summary="""Label files with a MODEL; the same command resumes after a kill.

        MODEL is a model folder, `champion` (of the newest reproduction), the name of a
        reproduction, or an MLflow model such as models:/NAME@champion. PATHS are photos, clips,
        folders of them at any depth, or tables with a column `path`.
        """,
        example="predict champion photos/ --out labels.csv",
    ),
    LazyCommand(
        "export",
        "flows.cli.commands.export:export",
        [
            *MODEL,
            click.Option(
                ["--format", "file_format"],
                type=click.Choice(["onnx", "torch"]),
                required=True,
                help="ONNX, or a program of torch.export (.pt2).",
            ),
            click.Option(["--out"], required=True, type=click.Path(), help="The file."),
        ],
        summary="""Write a MODEL as ONNX or as a PyTorch program; needs gradmix[export].

        The file takes uint8 images and returns probabilities. It is written only if these match
        the model's to 1e-4.
        """,
        example="export champion --format onnx --out model.onnx",
    ),
    LazyCommand(
        "extract",
        "flows.cli.commands.extract:extract",
        [
            click.Argument(["videos"], type=click.Path()),
            click.Option(
                ["--frames"],
                type=click.IntRange(min=1),
                help="Evenly spaced frames per clip; 10 unless --every.",
            ),
            click.Option(
                ["--every"],
                type=click.IntRange(min=1),
                help="Every n-th frame, instead of --frames.",
            ),
            click.Option(["--out"], required=True, type=click.Path(), help="Folder for frames."),
            click.Option(
                ["--max-broken"],
                type=click.FloatRange(0, 1),
                default=0.05,
                show_default=True,
                help="Maximum share of broken clips.",
            ),
        ],
        summary="Extract frames of VIDEOS, a clip or a folder of them; finished work is reused.",
        example="extract UCF-101/ --frames 10 --out frames/",
    ),
]
for command in COMMANDS:
    main.add_command(command)
