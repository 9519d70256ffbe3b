"""Errors of the commands: one line, exit code 2, nothing half-written."""

import errno
import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from deploy.cli import main


@pytest.fixture
def gradmix(tmp_path, monkeypatch):
    """Run a command in `tmp_path`; returns exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRADMIX_HOME", raising=False)

    def run(*words):
        result = CliRunner().invoke(main, [str(word) for word in words])
        # Anything but a clean exit would be a traceback on the user's terminal.
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture(params=["reproduce", "plan", "rerun"])
def refused(request, gradmix, tmp_path):
    """What a wrong invocation costs: a line, one per missing data set; nothing is written."""

    def run(*words):
        before = set(tmp_path.rglob("*"))
        cell = ["--cell", "beta=10,gamma=0"] if request.param == "rerun" else []
        code, out, err = gradmix(request.param, *words, *cell)
        assert (code, out) == (2, "")
        assert err.count("\n") == (3 if "found neither" in err else 1)
        assert all(line.startswith("gradmix: ") for line in err.splitlines())
        assert set(tmp_path.rglob("*")) == before
        return err.removeprefix("gradmix: ").strip()

    return run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scale", "big"], ["tiny.toml:", 'expected one of tiny, other, found "big"']),
        (["--k", "0"], ["--k: target.k[0]", "at least 1, found 0"]),
        (["--k", "2", "--k", "2"], ["--k: target.k[1]", "found 2 again"]),
        (["--draws", "0"], ["--draws: ", "at least 1, found 0"]),
        (["--seed", "-1"], ["--seed: ", "at least 0, found -1"]),
        (["--data", "nowhere"], ["train_32x32.mat in ", "nowhere", "found neither"]),
        (["--data", ""], ["train_32x32.mat in ", "found neither"]),
        (["--download"], ["--download: expected --data DIR"]),
    ],
)
def test_a_wrong_option_costs_one_line(refused, tiny, options, words):
    path = tiny()
    line = refused(path, "--scale", "tiny", *options)
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["videos", "--out", "videos/a.avi"], "found videos/a.avi: File exists: choose another"),
        (["videos", "--out", "videos"], "found videos with 'a.avi' in it: choose another"),
        (["nowhere", "--out", "out"], "found none at nowhere: check the path"),
        (
            ["videos", "--out", "out", "--max-broken", "7"],
            "'--max-broken': 7.0 is not in the range",
        ),
        (["videos", "--out", "out", "--frames", "0"], "'--frames': 0 is not in the range"),
        (["videos"], "Missing option '--out'. See "),
    ],
)
def test_a_wrong_extraction_costs_one_line(gradmix, tmp_path, words, expected):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.avi").touch()
    code, out, err = gradmix("extract", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("gradmix: ")
    assert expected in err
    assert not (tmp_path / "out").exists()


def test_weights_are_fetched_without_a_data_folder(gradmix, tiny, monkeypatch):
    asked = []
    monkeypatch.setattr("flows.experiment.inputs.fetch_weights", lambda *named: asked.append(named))
    words = [tiny(), "--scale", "tiny", "--weights", "imagenet", "--download"]
    code, out, err = gradmix("reproduce", *words)
    assert asked == [("convnet", "imagenet")]
    assert out == "Fetching what is missing ...\n"
    assert (code, err.count("\n")) == (2, 1)
    assert "network.weights: expected none or a file for the trunk convnet" in err
    # A plan fetches nothing, and finds the same.
    assert gradmix("plan", *words) == (2, "", err)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('method = "source_only"', 'method = "sauce_only"', ["source_only", "did you mean"]),
        ("beta = [5, 10]", "beta = [-5, 10]", ["first_stage.beta[0]", "at least 0, found -5"]),
        (
            'dataset = "svhn"\nclasses = ["5", "6"]',
            'dataset = "svhn"\nclasses = ["5", "7"]',
            ["sources: ", "label space", "5, 6"],
        ),
        ("r = 2", "r = 3", ["ensemble.r", "at most 2", "found 3"]),
        ("steps = 20", "step = 20", ['"step"', "did you mean steps?"]),
        ("steps = 20", "steps = ", ["expected TOML"]),
    ],
)
def test_a_wrong_file_costs_one_line_with_its_place(refused, tiny, old, new, words):
    line = refused(tiny((old, new)), "--scale", "tiny")
    assert line.startswith(f"{line.split('tiny.toml')[0]}tiny.toml:")
    assert [word for word in words if word not in line] == []


def test_an_unknown_experiment_costs_one_line(refused):
    line = refused("digit")
    expected = "one of actions, digits, the path of a .toml file"
    assert line == f'experiment: expected {expected}, found "digit"; did you mean digits?'
    assert "expected an experiment file, found none" in refused("none.toml")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": 2, "made_by": "9.9"}', ["format 1", "format 2 made by gradmix 9.9"]),
        ("{", ["unreadable", "gradmix-home.json"]),
    ],
)
def test_a_home_of_another_version_is_left_alone(refused, tiny, tmp_path, content, words):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "gradmix-home.json").write_text(content)
    line = refused(tiny(), "--scale", "tiny", "--home", "home")
    assert [word for word in words if word not in line] == []


def test_a_folder_with_other_files_is_left_alone(refused, tiny, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    line = refused(tiny(), "--scale", "tiny", "--home", "home")
    assert "'thesis.tex' in it; choose another with --home" in line


def test_a_home_that_is_a_file_is_refused(refused, tiny, tmp_path):
    (tmp_path / "home").touch()
    line = refused(tiny(), "--scale", "tiny", "--home", "home")
    # Making a folder there fails in other words than looking into it.
    assert "home: File exists" in line or "home: Not a directory" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_is_not_writable_is_refused(gradmix, tiny, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    words = [tiny(), "--scale", "tiny", "--home", "locked/home"]
    code, _, err = gradmix("reproduce", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert "expected a writable home folder" in err


def fail(number):
    def write(*_, **__):
        raise OSError(number, os.strerror(number), "somewhere")

    return write


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_home_that_cannot_be_made_costs_one_line(gradmix, tiny, monkeypatch, number):
    monkeypatch.setattr("tasks.storage.home.write_atomically", fail(number))
    code, out, err = gradmix("reproduce", tiny(), "--scale", "tiny", "--home", "home")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"home: {os.strerror(number)}; choose another with --home." in err


def test_a_disk_that_fills_up_outside_a_stage_costs_one_line(gradmix, tiny, monkeypatch):
    monkeypatch.setattr("flows.cli.commands.plan.make_plan", fail(errno.ENOSPC))
    code, _, err = gradmix("plan", tiny(), "--scale", "tiny", "--home", "home")
    assert (code, err.count("\n")) == (2, 1)
    assert "found No space left on device (somewhere); make room" in err


@pytest.mark.skipif(sys.platform != "linux", reason="needs tmpfs")
def test_a_full_file_system_costs_one_line_and_leaves_nothing(gradmix, tiny, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs is not allowed here")
    try:
        (disk / "big").write_bytes(b"x" * (64 << 10))
        words = [tiny(), "--scale", "tiny", "--home", disk / "home"]
        code, out, err = gradmix("reproduce", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "No space left on device; choose another with --home." in err
        assert not list((disk / "home").glob("**/*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("command", ["reproduce", "rerun"])
@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("workers", ["--engine workers: expected a fleet over this home", "gradmix up"]),
        ("worker", ["Invalid value for '--engine'", "'local', 'workers'"]),
    ],
)
def test_workers_without_a_fleet_cost_one_line(
    gradmix, tiny, tmp_path, monkeypatch, command, engine, words
):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    cell = ["--cell", "beta=10,gamma=0"] if command == "rerun" else []
    options = ["--scale", "tiny", "--home", "home", "--engine", engine, *cell]
    code, out, err = gradmix(command, tiny(), *options)
    assert (code, out) == (2, "")
    assert [word for word in words if word not in err] == []
    assert not list(tmp_path.glob("home/*/*"))


@pytest.mark.parametrize("command", ["reproduce", "plan", "rerun", "status", "cancel", "report"])
def test_every_command_takes_its_home_from_the_environment(gradmix, tmp_path, monkeypatch, command):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    monkeypatch.setenv("GRADMIX_HOME", str(tmp_path / "mine"))
    words = {"report": ["x"], "status": [], "cancel": []}.get(command, ["digits"])
    words += ["--cell", "beta=10,gamma=0"] if command == "rerun" else []
    code, _, err = gradmix(command, *words)
    assert (code, err.count("\n")) == (2, 1)
    assert "'thesis.tex' in it; choose another with --home" in err


def test_an_interrupt_is_one_line_and_its_own_exit_code(gradmix, tiny, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.cli.commands.plan.make_plan", interrupt)
    code, _, err = gradmix("plan", tiny(), "--scale", "tiny")
    assert (code, err) == (130, "gradmix: stopped; the same command continues.\n")


def test_other_errors_keep_their_traceback(tiny, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("flows.cli.commands.plan.make_plan", broken)
    result = CliRunner().invoke(main, ["plan", tiny(), "--scale", "tiny"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_report_of_what_is_not_there_costs_one_line(gradmix, tiny_order, tmp_path):
    code, _, err = gradmix("report", "x", "--home", "home")
    assert (code, err.count("\n")) == (2, 1)
    assert "expected a gradmix home, found none in" in err
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "gradmix-home.json").write_text('{"format": 1, "made_by": "x"}')
    code, _, err = gradmix("report", "x", "--home", "home")
    assert (code, err.count("\n")) == (2, 1)
    assert "(there is none yet)" in err
    assert "found 'x'" in err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "unreadable"),
        ("[]", "format 1 to 4, found format none"),
        (json.dumps({"format": 5, "name": "x", "run_id": "y"}), "format 1 to 4, found format 5"),
    ],
)
def test_a_damaged_record_costs_one_line(gradmix, tmp_path, content, words):
    folder = tmp_path / "home" / "reproductions" / "x"
    folder.mkdir(parents=True)
    (tmp_path / "home" / "gradmix-home.json").write_text('{"format": 1, "made_by": "x"}')
    (folder / "record.json").write_text(content)
    code, _, err = gradmix("report", "x", "--home", "home")
    assert (code, err.count("\n")) == (2, 1)
    assert words in err
    assert str(folder / "record.json") in err
