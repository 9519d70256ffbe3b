"""The review page over HTTP: what it answers, and to whom."""

import io
import json
import os

import pytest
from PIL import Image
from starlette.testclient import TestClient

from data.readers.corrections import read_corrections
from flows.review.access import Access
from flows.review.app import review_app
from flows.review.decisions import Decisions
from flows.review.thumbnails import Thumbnails

PORT = 8765
BASE = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def app(reviewed, tmp_path):
    _, _, gallery = reviewed
    access = Access(port=PORT)
    decisions = Decisions(gallery, tmp_path / "corrections.csv")
    thumbnails = Thumbnails(gallery, tmp_path / "thumbnails")
    return review_app(gallery, decisions, thumbnails, [3, 1], access), access


@pytest.fixture
def stranger(app):
    return TestClient(app[0], base_url=BASE, raise_server_exceptions=False)


@pytest.fixture
def owner(app, stranger):
    stranger.get(f"/?token={app[1].token}")
    return stranger


def post(client, path, body, **headers):
    return client.post(path, json=body, headers={"Origin": BASE, **headers})


def table(tmp_path):
    return [
        (one.path, one.decision, one.label)
        for one in read_corrections(tmp_path / "corrections.csv")
    ]


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address(app, stranger):
    answer = stranger.get(f"/?token={app[1].token}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert stranger.get("/").status_code == 200
    assert len(app[1].token) >= 43
    assert app[1].token not in repr(app[1])


PATHS = ["/", "/review.js", "/style.css", "/api/images", "/image/small/0", "/nothing"]


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
@pytest.mark.parametrize("path", PATHS)
def test_nobody_else_gets_anything(stranger, path):
    for address in (path, f"{path}?token=wrong", f"{path}?token="):
        answer = stranger.get(address)
        assert answer.status_code == 403
        assert "gradmix review has printed" in answer.json()["error"]
    stranger.cookies.set(f"gradmix-review-{PORT}", "wrong")
    assert stranger.get(path).status_code == 403


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", "127.0.0.1", ""]
)
def test_another_host_s_name_is_refused(owner, host):
    assert owner.get("/", headers={"Host": host}).status_code == 421
    assert owner.get("/", headers={"Host": f"localhost:{PORT}"}).status_code in (200, 403)


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", f"https://127.0.0.1:{PORT}", "http://127.0.0.1:1", None],
)
def test_another_page_decides_nothing(owner, tmp_path, origin):
    headers = {} if origin is None else {"Origin": origin}
    body = {"image": 0, "decision": "confirm"}
    assert owner.post("/api/decide", json=body, headers=headers).status_code == 403
    if origin is not None:
        assert owner.get("/api/images", headers=headers).status_code == 403
    assert not (tmp_path / "corrections.csv").exists()


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
def test_every_answer_forbids_what_the_page_does_not_need(owner):
    for path in PATHS:
        headers = owner.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert owner.get("/api/images").headers["cache-control"] == "no-store"
    page = owner.get("/").text
    # What the policy would block is not in the page.
    assert "<style" not in page
    assert page.count("<script") == page.count("<script src=") == 1


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
@pytest.mark.parametrize(
    "path",
    [
        "/image/small/60",
        "/image/small/-1",
        "/image/small/x",
        "/image/huge/0",
        "/image/small/..%2f..%2fetc%2fpasswd",
        "/image/../../etc/passwd",
        "/image/small/0/../../../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/data/kitchen/day%200/0000.png",
    ],
)
def test_nothing_but_the_run_s_images_is_served(owner, path):
    assert owner.get(path).status_code == 404


def test_images_are_webp_and_made_once(owner, kind, tmp_path):
    small = owner.get("/image/small/7")
    assert small.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(small.content)) as picture:
        # Photos are 64 x 48; stored images are 24 x 24, six times as large.
        assert picture.size == ((64, 48) if kind == "photos" else (144, 144))
    (kept,) = (tmp_path / "thumbnails").iterdir()
    kept.write_bytes(b"kept")
    assert owner.get("/image/small/7").content == b"kept"


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
def test_a_photo_that_is_gone_is_said(owner, reviewed):
    _, _, gallery = reviewed
    os.unlink(gallery.files[2])  # noqa: PTH108
    answer = owner.get("/image/small/2")
    assert answer.status_code == 422
    assert "0002.png" in answer.json()["error"]


def test_what_is_said_of_the_images(owner, reviewed):
    _, _, gallery = reviewed
    said = owner.get("/api/images").json()
    assert {len(said[name]) for name in ("names", "label", "confidence", "disagreement")} == {60}
    assert said["classes"] == ["cup", "knife", "pan"]
    assert (said["next"], said["decisions"]) == ([3, 1], [])
    assert [said["classes"][label] for label in said["label"]] == gallery.labels


def test_decisions_are_saved_at_once_and_taken_back(owner, reviewed, tmp_path, kind):
    _, photos, gallery = reviewed
    said = gallery.labels
    other = next(name for name in gallery.classes if name != said[1])
    path = (lambda i: photos / f"day {i % 3}/{i:04d}.png") if kind == "photos" else (
        lambda i: tmp_path / f"kitchen/train:{i}"
    )  # fmt: skip
    assert post(owner, "/api/decide", {"image": 0, "decision": "confirm"}).json() == {
        "image": 0, "decision": "confirm", "label": said[0],
    }  # fmt: skip
    assert table(tmp_path) == [(path(0), "confirm", said[0])]
    post(owner, "/api/decide", {"image": 1, "decision": "change", "label": f" {other.upper()} "})
    post(owner, "/api/decide", {"image": 2, "decision": "reject"})
    # A change to what the model says is no change.
    post(owner, "/api/decide", {"image": 3, "decision": "change", "label": said[3]})
    assert sorted(table(tmp_path)) == sorted(
        [(path(0), "confirm", said[0]), (path(1), "change", other), (path(2), "reject", ""),
         (path(3), "confirm", said[3])]
    )  # fmt: skip
    post(owner, "/api/decide", {"image": 1, "decision": "reject"})
    assert post(owner, "/api/undo", {}).json() == {"image": 1, "decision": "change", "label": other}
    for image in (3, 2, 1, 0):
        assert post(owner, "/api/undo", {}).json()["image"] == image
    assert table(tmp_path) == []
    assert "nothing to undo" in post(owner, "/api/undo", {}).json()["error"]


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"image": 0, "decision": "change", "label": "spoon"}, "found 'spoon'; a new class needs"),
        ({"image": 0, "decision": "change", "label": ""}, "found ''"),
        ({"image": 0, "decision": "change"}, "expected a class"),
        ({"image": 60, "decision": "confirm"}, "expected an image below 60, found 60"),
        ({"image": -1, "decision": "confirm"}, "below 60"),
        ({"image": True, "decision": "confirm"}, "expected an image and one of"),
        ({"image": 0, "decision": "delete"}, "confirm, change, reject"),
        ({"image": 0, "decision": "change", "label": 5}, "expected an image and one of"),
        ([], "expected a JSON object"),
        ({"image": 0, "decision": "reject", "label": "x" * 20_000}, "at most 10000 bytes"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_a_reason(owner, tmp_path, body, found):
    answer = post(owner, "/api/decide", body)
    assert answer.status_code == 422
    assert found in answer.json()["error"]
    assert not (tmp_path / "corrections.csv").exists()


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
def test_a_form_of_another_kind_is_refused(owner):
    answer = owner.post("/api/decide", content=json.dumps({"image": 0, "decision": "confirm"}),
                        headers={"Origin": BASE, "Content-Type": "text/plain"})  # fmt: skip
    assert (answer.status_code, answer.json()["error"]) == (422, "expected application/json.")


@pytest.mark.parametrize("kind", ["photos"], indirect=True)
def test_a_full_disk_takes_no_decision(owner, tmp_path, monkeypatch):
    post(owner, "/api/decide", {"image": 0, "decision": "confirm"})
    before = (tmp_path / "corrections.csv").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        answer = post(owner, "/api/decide", {"image": 1, "decision": "confirm"})
    assert answer.status_code == 507
    assert "not saved" in answer.json()["error"]
    assert (tmp_path / "corrections.csv").read_bytes() == before
    assert len(owner.get("/api/images").json()["decisions"]) == 1


def test_a_review_goes_on_with_the_table_and_keeps_other_rows(reviewed, tmp_path):
    _, _, gallery = reviewed
    out = tmp_path / "corrections.csv"
    Decisions(gallery, out).decide(5, "confirm", "")
    text = out.read_text() + "elsewhere/x.jpg,change,spoon\n"
    out.write_text(text)
    again = Decisions(gallery, out)
    assert [one.image for one in again.all] == [5]
    again.decide(6, "reject", "")
    assert len(read_corrections(out)) == 3
    assert "elsewhere/x.jpg,change,spoon" in out.read_text()
