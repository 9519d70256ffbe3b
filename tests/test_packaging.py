"""What is packed, what is pinned, and that the packages are ours."""

import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("data", "deploy", "flows", "gradmix", "tasks")
LAUNCHER = "gradmix_launcher.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = [*chain(*PROJECT["project"]["optional-dependencies"].values())]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(text):
    """Name and version specifiers: `torch==2.14.1` gives ("torch", "==2.14.1")."""
    name, rest = re.fullmatch(
        r"([A-Za-z0-9._-]+)(?:\[.*\])?(.*)", text.partition(";")[0].strip()
    ).groups()
    return normal(name), rest.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names in the wheel and its metadata; built without isolation, hence offline."""
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        texts = {
            n.rpartition("/")[2]: archive.read(n).decode() for n in names if ".dist-info/" in n
        }
    return names, texts


def test_a_wheel_holds_the_five_rooms_their_launcher_and_nothing_else(wheel):
    names, _ = wheel
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {*ROOMS, LAUNCHER}


def test_a_wheel_holds_every_module_and_the_experiments(wheel):
    names, _ = wheel
    modules = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".py", ".toml", ".typed"} or path.name == "prefect.yaml"
    }
    assert "flows/experiments/digits.toml" in modules
    assert {name for name in names if ".dist-info/" not in name} == {*modules, LAUNCHER}


def test_a_wheel_brings_the_command_and_the_license(wheel):
    _, texts = wheel
    assert "gradmix = gradmix_launcher:main" in texts["entry_points.txt"]
    assert "Apache License" in texts["LICENSE"]
    assert "Name: gradmix" in texts["METADATA"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_ours_and_not_a_folder_that_happens_to_lie_here(room):
    module = importlib.import_module(room)
    assert Path(module.__file__) == ROOT / room / "__init__.py"


def test_a_stray_folder_in_the_working_directory_hides_nothing(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "__init__.py").touch()
    code = "import data, sys; sys.stdout.write(data.__file__)"
    found = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert Path(found) == ROOT / "data" / "__init__.py"


def test_every_direct_dependency_is_pinned_to_a_version_that_it_allows():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pins = {normal(name): version for name, version in pins.items()}
    groups = PROJECT["dependency-groups"]
    wanted = [*PROJECT["project"]["dependencies"], *groups["test"], *groups["lint"], *EXTRAS]
    for name, specifiers in map(requirement, wanted):
        assert name in pins, name
        for operator, bound in re.findall(r"(==|>=|<)([0-9.]+)", specifiers):
            pinned, limit = (
                tuple(int(part) for part in re.findall(r"[0-9]+", text)[:3])
                for text in (pins[name].partition("+")[0], bound)
            )
            good = {"==": pinned == limit, ">=": pinned >= limit, "<": pinned < limit}
            assert good[operator], f"{name} {pins[name]} {operator} {bound}"


def test_what_is_imported_is_declared():
    standard = set(sys.stdlib_module_names) | set(ROOMS)
    distributions = {
        "markdown_it": "markdown-it-py",
        "PIL": "pillow",
        "pydantic_core": "pydantic",
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
    }
    wanted = [*PROJECT["project"]["dependencies"], *EXTRAS]
    declared = {requirement(text)[0] for text in wanted}
    pattern = re.compile(r"^\s*(?:from|import) ([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            code = re.sub(r'"""[\s\S]*?"""', "", path.read_text(encoding="utf-8"))
            for name in set(pattern.findall(code)) - standard:
                assert normal(distributions.get(name, name)) in declared, f"{path}: {name}"


def test_the_version_is_said_by_the_command():
    from click.testing import CliRunner

    from deploy.cli import main

    said = CliRunner().invoke(main, ["--version"]).output
    assert PROJECT["project"]["version"] in said
