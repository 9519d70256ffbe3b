"""Forty broken inputs: each ends in lines that say what to do, or in a counted skip.

Whatever is wrong, `check` and `plan` end with exit code 2 and one line for each problem, or with 0
and a warning that counts what is left out; nothing is written.
"""

import os
import shutil
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from deploy.cli import main
from tests.flows.drafting.photos import photo


@dataclass(frozen=True)
class Case:
    """A way to break the project.

    Attributes:
        breaks: does it, given the project's folder.
        says: a part of what is printed.
        code: the command's exit code.
    """

    breaks: object
    says: str
    code: int = 2


def first(folder):
    return min(folder.rglob("*.png"))


def edit(old, new):
    def change(root):
        text = (root / "own.toml").read_text(encoding="utf-8")
        assert old in text
        (root / "own.toml").write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def content(data):
    def change(root):
        (root / "own.toml").write_bytes(data)

    return change


def table(text, key="labelled", name="t.csv"):
    """A table in place of a folder."""

    def change(root):
        data = text if isinstance(text, bytes) else text.encode()
        (root / name).write_bytes(data)
        edit(f'{key} = "{key}"', f'{key} = "{name}"')(root)

    return change


def write(path, data):
    def change(root):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)

    return change


def drop(path):
    return lambda root: shutil.rmtree(root / path)


def copy(source, to):
    def change(root):
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first(root / source), root / to)

    return change


def cut(root):
    for path in (root / "web" / "cat").iterdir():
        path.write_bytes(path.read_bytes()[:40])


def bomb(root):
    """A PNG that claims 60,000 x 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    parts = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"0")), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(kind + body))
        parts += struct.pack(">I", len(body)) + kind + body + check
    (root / "unlabelled" / "bomb.png").write_bytes(parts)


def almost_black(root):
    """8-bit values in a file of 16 bits, which would be read as black."""
    for number, path in enumerate(sorted((root / "labelled" / "cat").iterdir())):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32)).astype(np.uint16)
        Image.fromarray(pixels).save(path)


def link_up(root):
    (root / "labelled" / "cat" / "loop").symlink_to(root / "labelled")


def not_utf8(root):
    name = os.fsencode(root / "labelled" / "cat") + b"/\xff.png"
    shutil.copyfile(first(root / "labelled"), name)


def twice_in_two_forms(root):
    for name in ("caf\u00e9", "cafe\u0301"):
        photo(root / "labelled" / name / "1.png", seed=len(name))


def tiny(root):
    Image.new("RGB", (1, 1)).save(root / "labelled" / "cat" / "dot.png")


def renamed_clip(root):
    for path in (root / "unlabelled").iterdir():
        path.rename(path.with_suffix(".mp4"))


def many_good(root, then):
    for number in range(30):
        photo(root / "unlabelled" / f"g{number}.png", seed=500 + number)
    then(root)


ROWS = "path,label\n" + "".join(f"labelled/{n}/{i}.png,{n}\n" for n, i in [("cat", 1), ("dog", 4)])

CASES = {
    # The file itself.
    "no file": Case(lambda root: (root / "own.toml").unlink(), "expected an experiment file, fou"),
    "empty file": Case(content(b""), "target: expected a value, found none"),
    "not toml": Case(content(b"[target\nx"), "own.toml:1: expected TOML, found an error"),
    "not text": Case(content(b"\xff\xfe\x00"), "expected text in UTF-8, found the byte 0xff"),
    "a photo": Case(content(b"\x89PNG\r\n\x1a\n"), "expected text in UTF-8, found the byte 0x89"),
    "typing error": Case(edit("labelled =", "labeled ="), 'found "labeled"; did you mean labelle'),
    "unknown table": Case(edit("[images]", "[image]"), "did you mean images?"),
    "wrong type": Case(edit("steps = 2", 'steps = "2"'), "own.toml:13: training.steps: expected"),
    "no sources": Case(edit('[[sources]]\ndata = "web"', ""), "sources: expected a value, found n"),
    "no u": Case(edit('unlabelled = "unlabelled"\n', ""), "target.unlabelled: expected unlabelled"),
    "held out in words": Case(
        edit('test = "test"', 'hyper_validation = "crss"'), "did you mean cross?"
    ),
    "held out too many": Case(
        edit('test = "test"', "hyper_validation = 5"), "target.hyper_validation: expected at most 4"
    ),
    "k beside labels": Case(edit('test = "test"', "k = [3]"), "target.k: expected no k, because V"),
    "path to nowhere": Case(edit('"web"', '"wbe"'), "expected a folder or a table of files, found"),
    "path of another user": Case(edit('"web"', '"~nobody-here/x"'), "sources[0].data"),
    "no trunk": Case(edit("[network]", '[network]\ntrunk = "resnet19"'), "did you mean resnet18?"),
    "no weights": Case(
        edit("[network]", '[network]\nweights = "none.pt"'), "network.weights: expected none, imag"
    ),
    "two mistakes": Case(
        lambda root: (edit("steps = 2", "steps = 0")(root), edit('"web"', '"wbe"')(root)),
        "own.toml:13: training.steps: expected a value of at least 1, found 0",
    ),
    # Folders.
    "no photos": Case(
        lambda root: [path.unlink() for path in (root / "web").rglob("*.png")],
        "expected either photos or clips at",
    ),
    "one class": Case(drop("labelled/dog"), "target.labelled: expected at least 2 classes, found"),
    "one label": Case(
        lambda root: [p.unlink() for p in sorted((root / "labelled" / "dog").iterdir())[1:]],
        "target.labelled: expected at least 2 labelled files of class 'dog'",
    ),
    "test without a class": Case(drop("test/dog"), "own.toml:4: target.test: expected the target"),
    "source of other classes": Case(
        lambda root: (root / "web" / "cat").rename(root / "web" / "cow"),
        "expected a source with the target's label space",
    ),
    "empty class": Case(
        lambda root: [path.unlink() for path in (root / "labelled" / "dog").glob("*")],
        "Expected photos in every class folder of",
    ),
    "empty u": Case(
        lambda root: (drop("unlabelled")(root), (root / "unlabelled").mkdir()),
        "own.toml:3: target.unlabelled: ",
    ),
    "u is labelled": Case(
        lambda root: (
            drop("unlabelled")(root),
            shutil.copytree(root / "labelled", root / "unlabelled"),
        ),
        "own.toml:3: target.unlabelled: expected unlabelled files that are not labelled too",
    ),
    "clips in name": Case(renamed_clip, "own.toml:3: target.unlabelled"),
    "one class in two forms": Case(twice_in_two_forms, "names differ in more than case or Unicode"),
    "name not in utf-8": Case(not_utf8, "expected file names in UTF-8"),
    # Files.
    "photo in two classes": Case(
        copy("labelled/cat", "labelled/dog/x.png"), "expected every file in one class"
    ),
    "test photo in u": Case(
        copy("test/cat", "unlabelled/x.png"), "own.toml:4: target.test: expected no file of test in"
    ),
    "test photo in source": Case(
        copy("test/cat", "web/dog/x.png"), "target.test: expected no file of test in web"
    ),
    "photos cut off": Case(cut, "cannot be read, found 2 of 4"),
    "one pixel": Case(tiny, "expected photos of at least 8 pixels a side, found 1"),
    "table without labels": Case(table("path\na.png\n"), "expected the columns path, label"),
    "table of nothing": Case(table(b""), "own.toml:2: target.labelled"),
    "table of missing files": Case(
        table("path,label\na.png,cat\nb.png,dog\n"), "row 3: expected a file at"
    ),
    "table that leads out": Case(table("path,label\n../a.png,cat\n"), "expected a path below"),
    "table in binary": Case(table(b"\x00\x01\x02\xff"), "own.toml:2: target.labelled"),
    "parquet that is none": Case(table(b"PAR1", name="t.parquet"), "own.toml:2: target.labelled"),
    # What is left out, counted.
    "empty photo among many": Case(
        lambda root: many_good(root, write("unlabelled/e.jpg", b"")),
        "1 of 35 photos cannot be read and will be left out, as",
        0,
    ),
    "bomb among many": Case(
        lambda root: many_good(root, bomb), "1 of 35 photos cannot be read and will be left", 0
    ),
    "text among photos": Case(
        write("labelled/cat/notes.txt", b"x"),
        "labelled: left out: files that are not photos (1).",
        0,
    ),
    "raw among photos": Case(
        write("unlabelled/a.heic", b"x"), "left out: photos in an unsupported format (1).", 0
    ),
    "loose photo": Case(
        lambda root: photo(root / "labelled" / "x.png", seed=77),
        "labelled: left out: files outside the class folders (1).",
        0,
    ),
    "link in a circle": Case(link_up, "labelled: left out: links that lead nowhere (1).", 0),
    "folder of the system": Case(
        write("unlabelled/@eaDir/1.png", b"x"), "left out: thumbnails and folders of network", 0
    ),
    "dark 16-bit photos": Case(almost_black, "cannot be read, found 3 of 6"),
}


def tree(root):
    return {path: path.stat().st_mtime_ns for path in sorted(root.rglob("*")) if path.is_file()}


def run(words, tmp_path):
    command = [*words, "--home", str(tmp_path / "home")]
    return CliRunner().invoke(main, command, catch_exceptions=False)


def test_there_are_forty_of_them():
    assert len(CASES) >= 40


@pytest.mark.parametrize("name", CASES)
def test_a_broken_input_ends_in_lines_that_say_what_to_do(name, project, tmp_path):
    case = CASES[name]
    case.breaks(project)
    before = tree(tmp_path)
    result = run(["check", str(project / "own.toml")], tmp_path)
    assert result.exit_code == case.code, result.output
    assert case.says in result.output
    assert "Traceback" not in result.output
    lines = result.output.splitlines()
    if case.code:
        assert all(line.startswith("gradmix: ") for line in lines)
        assert len(lines) <= 21
    else:
        assert sum(case.says in line for line in lines) == 1
        assert lines[-1].startswith("No problem, 1 warning")
    assert tree(tmp_path) == before
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["typing error", "empty u", "test photo in u", "no weights"])
def test_a_plan_makes_the_same_checks(name, project, tmp_path):
    CASES[name].breaks(project)
    check, plan = (
        run([command, str(project / "own.toml")], tmp_path) for command in ("check", "plan")
    )
    assert (plan.exit_code, plan.output) == (check.exit_code, check.output)
    assert check.exit_code == 2


BROKEN_FOLDERS = {
    "nowhere": (shutil.rmtree, "found nothing: correct the path"),
    "empty": (lambda root: [drop(name)(root) for name in ("labelled", "web", "test")], "labelled"),
    "no classes": (drop("web"), "Expected a labelled source"),
    "no u": (drop("unlabelled"), "Expected a folder `unlabelled`"),
    "two targets": (
        lambda root: shutil.copytree(root / "labelled", root / "train"),
        "Expected one folder for --target",
    ),
}


@pytest.mark.parametrize("name", BROKEN_FOLDERS)
def test_folders_that_are_not_clear_write_no_file(name, project, tmp_path):
    breaks, says = BROKEN_FOLDERS[name]
    breaks(project)
    out = tmp_path / "new.toml"
    result = run(["init", str(project), "--out", str(out)], tmp_path)
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1), result.output
    assert says in result.output
    assert not out.exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_init_writes_a_file_that_passes_and_never_over_another(project, tmp_path):
    out = tmp_path / "new.toml"
    words = ["init", str(project), "--out", str(out)]
    first_time = run(words, tmp_path)
    assert first_time.exit_code == 0, first_time.output
    assert f"Wrote {out}. Next: gradmix check {out}" in first_time.output
    assert run(["check", str(out)], tmp_path).exit_code == 0
    text = out.read_text(encoding="utf-8")
    again = run(words, tmp_path)
    assert again.exit_code == 2
    assert "--out: expected no file at" in again.output
    assert out.read_text(encoding="utf-8") == text
    assert run([*words, "--force"], tmp_path).exit_code == 0


def test_init_says_what_is_to_mend_and_writes_the_file(project, tmp_path):
    copy("test/cat", "unlabelled/x.png")(project)
    result = run(["init", str(project), "--out", str(tmp_path / "new.toml")], tmp_path)
    assert result.exit_code == 0
    assert "to fix: " in result.output
    assert "Next: fix these, then gradmix check" in result.output
