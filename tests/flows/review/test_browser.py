"""The review page in a headless Chromium: click, key, undo, reload, and a server that is killed."""

import csv
import re
import subprocess
import sys
import time

import pytest

from tests.flows.finished_run import finished_run
from tests.flows.review.chromium import BROWSER, browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium on this machine"),
]


class Server:
    """`gradmix review` in a process of its own."""

    def __init__(self, home, out):
        words = ["review", "--home", str(home), "--out", str(out), "--no-browser"]
        code = "from gradmix_launcher import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-u", "-c", code, *words], stdout=subprocess.PIPE, text=True
        )
        self.address = re.search(r"http://\S+", self.process.stdout.readline()).group()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def run(tmp_path):
    home, _, _ = finished_run(tmp_path, unlabelled=2000, held=50)
    return home, tmp_path / "corrections.csv"


def saved(out):
    if not out.exists():
        return {}
    with out.open(encoding="utf-8") as file:
        return {row["path"][-8:-4]: (row["decision"], row["label"]) for row in csv.DictReader(file)}


def until(out, expected):
    end = time.monotonic() + 60
    while saved(out) != expected and time.monotonic() < end:
        time.sleep(0.05)
    assert saved(out) == expected


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_a_person_at_work(run, tmp_path, width, height):
    home, out = run
    server = Server(home, out)
    (tmp_path / "profile").mkdir()
    try:
        with browser(tmp_path / "profile") as tab:
            tab.size(width, height)
            tab.open(server.address)
            ready = "document.querySelectorAll('.photo img').length > 3"
            tab.wait(ready)
            assert "token" not in tab.get("location.href")
            one, two, three = tab.get("shown.slice(0, 3).map(i => data.names[i].slice(-8, -4))")
            said = tab.get("shown.slice(0, 3).map(i => data.classes[data.label[i]])")
            others = [n for n in ("cup", "knife", "pan") if n != said[1]]

            # A click, then keys; each decision is on the disk before the next is sent.
            tab.click("#confirm")
            until(out, {one: ("confirm", said[0])})
            tab.key(str(("cup", "knife", "pan").index(others[0]) + 1))
            tab.key("x")
            expected = {
                one: ("confirm", said[0]),
                two: ("change", others[0]),
                three: ("reject", ""),
            }
            until(out, expected)
            tab.key("u")
            until(out, {name: expected[name] for name in (one, two)})
            tab.wait("document.querySelector('#count').innerText.startsWith('2 of 2,000')")

            # A new class is refused with a reason, and nothing is saved.
            tab.get("document.querySelector('#name').value = 'spoon'")
            tab.get("document.querySelector('#other').requestSubmit()")
            tab.wait("document.querySelector('#message').innerText.includes('a new class needs')")
            assert len(saved(out)) == 2

            # Killed while it works: what was saved is there, and a new server goes on with it.
            server.kill()
            tab.key("Enter")
            tab.wait("document.querySelector('#message').innerText.includes('does not answer')")
            assert {name: saved(out)[name] for name in (one, two)} == saved(out)
            server = Server(home, out)
            tab.open(server.address)
            tab.wait(ready)
            tab.wait("document.querySelector('#count').innerText.startsWith('2 of 2,000')")
            assert tab.get("[...document.querySelectorAll('.photo.change')].length") == 1

            # Only what is on screen is in the page, also far below.
            tab.get("document.querySelector('#which').value = 'all'; choose()")
            tab.get("scrollTo(0, document.body.scrollHeight)")
            tab.wait("Math.max(...cards.keys()) === 1999")
            tab.wait("[...cards.values()].every(card => card.querySelector('img').complete)")
            assert tab.get("document.querySelectorAll('.photo').length") < 150
            # Nothing is wider than the screen.
            assert tab.get("document.documentElement.scrollWidth <= innerWidth")
    finally:
        server.kill()
