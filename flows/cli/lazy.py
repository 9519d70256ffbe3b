"""Commands whose modules are loaded only when they run.

Torch, Prefect and MLflow take seconds to import, and parsing needs none of them. A `LazyCommand`
knows its options, its help and the name of its function, whose module is imported after parsing.
So help and wrong options respond at once, and the modules of commands have ordinary imports at the
top. (Click calls this "deferring imports" of a lazily loaded command.)
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal

import click

from data.errors import UserError
from flows.cli.errors import OneLineError, one_line_errors
from flows.cli.os_errors import os_errors
from flows.cli.terminal import prepare_terminal, stdout_failure
from flows.experiment.run_request import RunRequest
from flows.experiment.toml_file import read_toml
from tasks.errors import first_line
from tasks.execution.environment import configure, steady_libraries
from tasks.execution.prefect_settings import load_prefect
from tasks.storage.home import check_home

Need = Literal["prefect", "mlflow"]


OF_LIBRARIES = ("CUDA_", "KMP_", "MATPLOTLIB", "MKL_", "OMP_", "PYTORCH_", "TORCH")
"""Prefixes of variables that libraries read on import."""


class LazyCommand(click.Command):
    """A command whose function is imported when it runs.

    Its parameters are the function's keyword arguments. `--home` is checked first.

    Args:
        name: name on the command line.
        runs: function, as `package.module:function`.
        params: arguments and options.
        summary: help text; its first sentence is the line in the list of commands.
        example: example of typical use.
        needs: services it uses, Prefect or MLflow. They read the environment on import, so it is
            pointed at the home folder before that.
    """

    def __init__(
        self,
        name: str,
        runs: str,
        params: Sequence[click.Parameter],
        *,
        summary: str,
        example: str,
        needs: Sequence[Need] = (),
    ) -> None:
        epilog = f"Example: gradmix {example}"
        super().__init__(name, params=list(params), help=summary, epilog=epilog)
        self.runs, self.needs = runs, needs

    def load(self) -> Callable[..., None]:
        """Import the function."""
        module, name = self.runs.split(":")
        with _import_errors():
            function: Callable[..., None] = getattr(import_module(module), name)
        return function

    def look(self, parameters: Mapping[str, Any]) -> None:
        """Check parameters before the function is imported."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Check the home folder, prepare the environment, import and call."""
        with os_errors(ctx.params):
            steady_libraries()
            if "home" in ctx.params:
                check_home(ctx.params["home"])
                if self.needs:
                    configure(ctx.params["home"])
                if "prefect" in self.needs:
                    load_prefect()
            self.look(ctx.params)
            return ctx.invoke(self.load(), **ctx.params)


class RunCommand(LazyCommand):
    """A command on a run: its function gets a `RunRequest` instead of separate options."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Check name, file and scale first; only then import what the settings need."""
        fields = RunRequest.__dataclass_fields__
        words = {name: ctx.params.pop(name) for name in fields if name in ctx.params}
        ctx.params["request"] = request = RunRequest(**words)
        read_toml(request.experiment).scale_named(request.scale)
        return super().invoke(ctx)

    def look(self, parameters: Mapping[str, Any]) -> None:
        """Check the settings, which rarely need what the function imports."""
        # It takes a few tenths of a second, which other commands need not pay.
        from flows.experiment.experiment_file import settings_of  # noqa: PLC0415

        with _import_errors():
            settings_of(parameters["request"])


class OneLineGroup(click.Group):
    """Command group that reports errors, including wrong usage, in one line."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Parse and run a command."""
        prepare_terminal()
        with one_line_errors(ctx.command_path):
            result = super().invoke(ctx)
            if (error := stdout_failure()) is not None:
                raise OneLineError(
                    f"expected room for what is printed, found {error.strerror} (standard output); "
                    "send it elsewhere. Files that the command wrote are complete."
                )
            return result


@contextmanager
def _import_errors() -> Iterator[None]:
    """Turn errors of libraries that fail to load because of a variable into one line."""
    try:
        yield
    except (KeyError, RuntimeError, ValueError) as error:
        chosen = [name for name in sorted(os.environ) if name.startswith(OF_LIBRARIES)]
        if isinstance(error, UserError) or not chosen:
            raise
        raise OneLineError(
            f"expected the installed libraries to load, found {type(error).__name__}: "
            f"{first_line(error)}; correct or unset {', '.join(chosen)}."
        ) from error
