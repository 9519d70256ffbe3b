"""The command finds its own packages, whatever a user's project calls its files."""

import os
import subprocess
import sys
from pathlib import Path

from gradmix_launcher import LIBRARIES, PACKAGES, hidden_libraries

ROOT = Path(__file__).parent.parent
COMMAND = [
    sys.executable,
    "-P",
    "-c",
    "import gradmix_launcher, sys; sys.exit(gradmix_launcher.main())",
]


def run(command, folder, **variables):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([".", str(folder), str(ROOT)])}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_users_modules_of_the_same_names_hide_nothing(tmp_path):
    for name in PACKAGES:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')\n")

    found = run([*COMMAND, "status", "--help"], tmp_path)

    assert (found.returncode, found.stderr) == (0, "")


def test_a_users_package_of_the_same_name_hides_nothing_from_processes_that_are_started(tmp_path):
    for name in ("data", "tasks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    code = "from tasks.execution.parent_death import python_module as m; print(*m('tasks.jobs'))"
    command = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    found = run([*command, "train", str(tmp_path), str(tmp_path)], tmp_path)

    assert "the wrong one" not in found.stderr
    assert "job.json" in found.stderr


def test_a_module_that_hides_a_library_is_named_in_one_line(tmp_path):
    (tmp_path / "prefect.py").touch()

    found = run([*COMMAND, "status", "--help"], tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}")

    assert found.returncode == 2
    assert found.stderr == (
        "gradmix: expected PYTHONPATH to leave the installed prefect visible, found "
        f"{tmp_path}/prefect.py, which hides it; rename that file, or take its folder off "
        "PYTHONPATH.\n"
    )


def test_a_package_that_hides_a_library_counts_a_folder_of_that_name_does_not(tmp_path):
    (tmp_path / "torch").mkdir()
    assert [*hidden_libraries(str(tmp_path))] == []

    (tmp_path / "torch" / "__init__.py").touch()
    assert [*hidden_libraries(f"/nowhere{os.pathsep}{tmp_path}")] == [tmp_path / "torch"]


def test_installed_packages_on_the_path_are_meant(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    (tmp_path / "torch-2.14.1.dist-info").mkdir()

    assert [*hidden_libraries(str(tmp_path))] == []


def test_the_libraries_that_are_looked_for_can_be_imported():
    code = f"import importlib.util as u; print([n for n in {LIBRARIES!r} if not u.find_spec(n)])"
    found = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
