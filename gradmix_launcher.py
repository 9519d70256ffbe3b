"""Start gradmix with its own packages, whatever else lies on PYTHONPATH.

`data`, `tasks`, `flows` and `deploy` are names that a user's project may have as well. The command
starts in `main`; every process that it starts in turn is
`python -P -m gradmix_launcher MODULE ARGUMENTS`.

Only the standard library is imported: this runs before every training.
"""

import os
import runpy
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

PACKAGES = ("gradmix", "data", "tasks", "flows", "deploy")
LIBRARIES = (
    "av",
    "click",
    "filelock",
    "fsspec",
    "httpx",
    "imagehash",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "PIL",
    "prefect",
    "psutil",
    "pyarrow",
    "pydantic",
    "rich",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "torch",
    "torchvision",
    "uvicorn",
    "yaml",
)
USAGE_ERROR = 2


class OwnPackages:
    """A finder, asked before `sys.path`, that knows our packages only.

    Args:
        root: folder that holds them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Where a package of ours lies; None for everything else."""
        del path, target
        if fullname not in PACKAGES:
            return None
        return PathFinder.find_spec(fullname, [str(self._root)])


def claim_packages() -> None:
    """Import our packages from beside this file, whatever PYTHONPATH has of these names."""
    sys.meta_path.insert(0, OwnPackages(Path(__file__).resolve().parent))


def hidden_libraries(python_path: str) -> Iterator[Path]:
    """Files of a project on PYTHONPATH that Python would import in place of a library we need.

    A folder of installed packages has metadata of them; it is taken to be meant.
    """
    for entry in python_path.split(os.pathsep):
        folder = Path(entry)
        try:
            names = {found.name for found in folder.iterdir()}
        except OSError:
            continue
        if any(name.endswith((".dist-info", ".egg-info")) for name in names):
            continue
        for library in LIBRARIES:
            found = folder / f"{library}.py"
            if found.name in names:
                yield found
            elif (folder / library / "__init__.py").is_file():
                yield folder / library


def main() -> int:
    """The command `gradmix`; returns its exit code."""
    claim_packages()
    hidden = next(hidden_libraries(os.environ.get("PYTHONPATH", "")), None)
    if hidden is not None:
        sys.stderr.write(
            f"gradmix: expected PYTHONPATH to leave the installed {hidden.stem} visible, found "
            f"{hidden}, which hides it; rename that file, or take its folder off PYTHONPATH.\n"
        )
        return USAGE_ERROR
    missing = [library for library in LIBRARIES if find_spec(library) is None]
    if missing:
        sys.stderr.write(
            f"gradmix: expected the pipeline, found no {', '.join(missing)}; pip install "
            "'gradmix[pipeline]'. In Python, the package gradmix works without.\n"
        )
        return USAGE_ERROR
    # Only now: the name may be a user's as well.
    from deploy.cli import main as command  # noqa: PLC0415

    command()
    return 0


def run_module(arguments: Sequence[str]) -> None:
    """Run a module as `python -m` does, with our packages claimed."""
    claim_packages()
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    run_module(sys.argv[1:])
