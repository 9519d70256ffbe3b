"""The loops of docs/mixer run, those for other libraries in an interpreter of their own."""

import contextlib
import io
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "docs" / "mixer"
NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"

# What must be installed, and what the page's code says at its end.
SAYS = {
    "index": ("torch", rf"{NUMBER} 0\.\d+ \{{'web': {NUMBER}, 'sport': {NUMBER}\}}"),
    "plain-torch": ("torchvision", rf"rho {NUMBER}, eta (?:0\.\d\d|1\.00)"),
    "sampling": ("torch", rf"\{{'web': {NUMBER}, 'books': {NUMBER}, 'code': {NUMBER}\}}"),
    "lightning": ("lightning", r"'rho': .*'eta': .*'weight/1/web': "),
    "hugging-face": ("transformers", rf"\[{NUMBER}, {NUMBER}, {NUMBER}\]"),
}
HEAVY = ("plain-torch", "lightning", "hugging-face")


def test_every_page_with_code_is_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == SAYS.keys()


def code_of(page: str) -> str:
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("page", [page for page in SAYS if page not in HEAVY])
def test_a_pages_code_runs(page, tmp_path, monkeypatch) -> None:
    _, says = SAYS[page]
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), torch.random.fork_rng():
        exec(compile(code_of(page), page, "exec"), {"__name__": "__main__"})  # noqa: S102 - our own
    assert re.search(says, out.getvalue()), out.getvalue()
    assert not any(tmp_path.iterdir()), "a page leaves no files"


@pytest.mark.slow
@pytest.mark.parametrize("page", HEAVY)
def test_a_pages_code_runs_with_its_library(page, tmp_path) -> None:
    library, says = SAYS[page]
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    command = [sys.executable, "-P", "-c", code_of(page)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(says, done.stdout), done.stdout
    assert not any(tmp_path.iterdir()), "a page leaves no files"
