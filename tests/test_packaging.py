"""What is packed, what is pinned, and that the packages are ours."""

import importlib
import os
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
EXTRAS = [
    text
    for text in chain(*PROJECT["project"]["optional-dependencies"].values())
    # An extra that needs another names it as one of our own.
    if not text.startswith("gradmix[")
]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(text):
    """Name and version specifiers: `torch==2.14.1` gives ("torch", "==2.14.1")."""
    name, rest = re.fullmatch(
        r"([A-Za-z0-9._-]+)(?:\[.*\])?(.*)", text.partition(";")[0].strip()
    ).groups()
    return normal(name), rest.strip()


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory):
    """The wheel; built without isolation, hence offline."""
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(wheel_file):
    """Names in the wheel, and its metadata."""
    with zipfile.ZipFile(wheel_file) as archive:
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
        if path.suffix in {".css", ".html", ".js", ".py", ".toml", ".typed"}
        or path.name == "prefect.yaml"
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
    groups = [*groups["test"], *groups["lint"], *groups["examples"]]
    wanted = [*PROJECT["project"]["dependencies"], *groups, *EXTRAS]
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
    standard = set(sys.stdlib_module_names) | set(ROOMS) | {"_typeshed"}
    distributions = {
        "markdown_it": "markdown-it-py",
        "PIL": "pillow",
        "pydantic_core": "pydantic",
        "yaml": "pyyaml",
    }
    wanted = [*PROJECT["project"]["dependencies"], *EXTRAS]
    # jaxtyping is read by type checkers alone.
    declared = {requirement(text)[0] for text in wanted} | {"jaxtyping"}
    pattern = re.compile(r"^\s*(?:from|import) ([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            code = re.sub(r'"""[\s\S]*?"""', "", path.read_text(encoding="utf-8"))
            for name in set(pattern.findall(code)) - standard:
                assert normal(distributions.get(name, name)) in declared, f"{path}: {name}"


def test_the_core_asks_for_torch_and_numpy_alone(wheel):
    _, texts = wheel
    needed = re.findall(r"^Requires-Dist: ([^;\n]+)$", texts["METADATA"], re.MULTILINE)
    assert sorted(requirement(text)[0] for text in needed) == ["numpy", "torch"]


def test_the_command_without_the_pipeline_is_one_line(monkeypatch, capsys):
    import gradmix_launcher

    monkeypatch.setattr(gradmix_launcher, "claim_packages", lambda: None)
    monkeypatch.setattr(gradmix_launcher, "find_spec", lambda name: name != "prefect" or None)
    assert gradmix_launcher.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gradmix: expected the pipeline, found no prefect; pip install ")


@pytest.fixture(scope="module")
def sdist_file(tmp_path_factory):
    """The sdist; built without isolation, hence offline."""
    folder = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.tar.gz")
    return path


@pytest.fixture(params=["wheel_file", "sdist_file"])
def alone(request, tmp_path):
    """Python of an environment that holds torch, numpy and what was built; pip finds no network."""
    import venv

    built = request.getfixturevalue(request.param)
    venv.create(tmp_path / "alone", with_pip=True)
    python = tmp_path / "alone" / "bin" / "python"
    (packages,) = (tmp_path / "alone" / "lib").glob("python*/site-packages")
    # Hatchling builds the wheel of an sdist.
    for name in set().union(*map(distributions_of, ("torch", "numpy", "hatchling"))):
        link(name, packages)
    command = [python, "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation"]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [*command, built],
        cwd=tmp_path,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return python


@pytest.mark.slow
def test_an_environment_with_torch_alone_mixes_and_says_what_the_command_needs(alone, tmp_path):
    def ran(code):
        command = [alone, "-P", "-c", code]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    where = ran("import sys, gradmix; sys.stdout.write(gradmix.__file__)").stdout
    assert str(tmp_path) in where
    guide = (ROOT / "docs" / "mixer" / "index.md").read_text(encoding="utf-8")
    (loop,) = re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    mixed = ran(loop)
    assert mixed.returncode == 0, mixed.stderr
    assert "'web':" in mixed.stdout
    refused = ran("import sys, gradmix_launcher; sys.exit(gradmix_launcher.main())")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "pip install 'gradmix[pipeline]'" in line


def distributions_of(name):
    """A distribution and all that it needs, by name."""
    from importlib.metadata import PackageNotFoundError, requires

    found, open_ = set(), [name]
    while open_:
        name = normal(open_.pop())
        if name in found:
            continue
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(name)
        open_ += [requirement(text)[0] for text in needed if "extra ==" not in text]
    return found


def link(name, packages):
    """Links to a distribution's top-level files and folders."""
    from importlib.metadata import distribution

    found = distribution(name)
    for top in {file.parts[0] for file in found.files or [] if file.parts[0] != ".."}:
        if not (packages / top).exists():
            (packages / top).symlink_to(found.locate_file(top))


def test_the_version_is_said_by_the_command():
    from click.testing import CliRunner

    from deploy.cli import main

    said = CliRunner().invoke(main, ["--version"]).output
    assert PROJECT["project"]["version"] in said
