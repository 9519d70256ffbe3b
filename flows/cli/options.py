"""Arguments and options shared by commands, and their types."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from data.paths import expanded
from flows.cli.errors import OneLineError
from tasks.storage.home import USUAL, VARIABLE


class HomeFolder(click.ParamType[Path]):
    """Path of a home folder; made absolute here and nowhere else."""

    name = "directory"

    def convert(
        self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Return the absolute path."""
        del param, ctx
        return expanded(value).absolute()


def listed(of: Callable[[str], Any]) -> Callable[..., tuple[Any, ...] | None]:
    """Parser of comma-separated values of a type; `none` gives no values."""

    def read(_: click.Context, option: click.Parameter, text: str | None) -> Any:  # noqa: ANN401
        if text is None or text == "none":
            return None if text is None else ()
        try:
            return tuple(of(part.strip()) for part in text.split(","))
        except ValueError:
            raise OneLineError(
                f"--{option.name}: expected numbers separated by commas, such as 1,2, or none, "
                f"found {text!r}; correct the value."
            ) from None

    return read


HOME = click.Option(
    ["--home"],
    type=HomeFolder(),
    default=USUAL,
    show_default=True,
    envvar=VARIABLE,
    help="Folder for all output.",
)
SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
"""A share between 0 and 1, exclusive, as neither can be proven."""
MODEL = [
    click.Argument(["model"]),
    click.Option(
        ["--home", "where"],
        type=HomeFolder(),
        default=USUAL,
        show_default=True,
        envvar=VARIABLE,
        help="Home folder of `champion`, of a reproduction's name, and of MLflow addresses.",
    ),
]
"""A model, and the home folder to look it up in; a model folder needs no home."""
ENGINE = click.Option(
    ["--engine"],
    type=click.Choice(["local", "workers"]),
    default="local",
    show_default=True,
    help="Where to train: in slots of this machine, or on the workers of a fleet.",
)
DOWNLOAD = click.Option(
    ["--download"], is_flag=True, help="Fetch missing official files into --data first."
)
SCALE = click.Option(
    ["--scale"], help="demo, small or paper; by default demo, or the file's only one."
)
SEED = click.Option(["--seed"], type=int, help="Random seed.")
WEIGHTS = click.Option(
    ["--weights"], help="Initial weights of the trunk: none, imagenet, pretrained, or a file."
)
PARTIAL = click.Option(["--partial"], is_flag=True, help="Skip missing photos and clips.")
OWN = [
    click.Argument(["experiment"], metavar="FILE"),
    SCALE,
    click.Option(
        ["--data"],
        type=click.Path(),
        help="Folder that paths in FILE are relative to; by default its own.",
    ),
    DOWNLOAD,
    SEED,
    WEIGHTS,
    PARTIAL,
    HOME,
]
"""Parameters of commands on the user's own files, whose FILE defines V and its size."""
RUN = [
    click.Argument(["experiment"]),
    SCALE,
    click.Option(["--data"], type=click.Path(), help="Folder of the real data sets."),
    DOWNLOAD,
    click.Option(["--k"], type=int, multiple=True, help="Labels per class in V; may be repeated."),
    click.Option(["--draws"], type=int, help="Number of random V per k."),
    SEED,
    WEIGHTS,
    PARTIAL,
    click.Option(["--tables"], callback=listed(int), help="Tables of the paper to make: 1,2."),
    click.Option(["--figures"], callback=listed(int), help="Figures of the paper to make: 3,4."),
    click.Option(
        ["--studies"],
        callback=listed(str),
        help="Studies beyond the paper: rho,hyper_validation,sources,labels.",
    ),
    HOME,
]
"""Parameters of all commands on a run: the fields of a `RunRequest`, and how to run it."""
INIT = [
    click.Argument(["folders"], nargs=-1, metavar="[DIR]...", type=click.Path()),
    click.Option(["--target"], type=click.Path(), help="Labelled files of the target: V."),
    click.Option(
        ["--unlabelled"],
        type=click.Path(),
        multiple=True,
        help="The target's other files, U; may be repeated.",
    ),
    click.Option(["--test"], type=click.Path(), help="Labelled files to test on, once."),
    click.Option(
        ["--source"],
        type=click.Path(),
        multiple=True,
        help="Labelled files of another domain; may be repeated.",
    ),
    click.Option(
        ["--trunk"], help="A pretrained network, such as efficientnet_lite0 or timm:NAME."
    ),
    click.Option(
        ["--weights"],
        help="Weights of --trunk: a file, imagenet, or pretrained (timm). Its features are frozen.",
    ),
    click.Option(
        ["--example"],
        metavar="DIR",
        type=click.Path(),
        help="First draw a small project into this new folder.",
    ),
    click.Option(
        ["--out"],
        metavar="FILE",
        type=click.Path(),
        help="The experiment file; by default DIR.toml, here.",
    ),
    HOME,
    click.Option(["--force"], is_flag=True, help="Replace what is there."),
]
"""Parameters of `init`."""
