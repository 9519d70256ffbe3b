"""The loops of docs/mixer run, each in an interpreter of its own, with the libraries it is for."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=pytest.mark.slow) if p in HEAVY else p for p in SAYS]
)
def test_a_pages_code_runs(page, tmp_path) -> None:
    library, says = SAYS[page]
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    command = [sys.executable, "-P", "-c", code]
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
