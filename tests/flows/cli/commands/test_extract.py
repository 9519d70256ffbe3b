"""What `gradmix extract` says at the end."""

from data.frames.store import Summary
from flows.cli.commands import extract


def test_clips_frames_and_whatever_was_left_out_are_said(monkeypatch, capsys, tmp_path):
    found = Summary(
        clips=3,
        frames=20,
        skipped=({"clip": "b.avi", "reason": "no frames"},),
        ignored={"files that are not clips": 1200, "recycle bins": 1},
    )
    monkeypatch.setattr(extract, "extract_folder", lambda *_: found)
    extract.extract("videos", frames=None, every=None, out=str(tmp_path), max_broken=0.5)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("2 clips, 20 frames in ")
    assert rest == [
        "Ignored: files that are not clips (1,200), recycle bins (1).",
        f"1 clip left out ({tmp_path / 'skipped.json'}):",
        "  b.avi: no frames",
    ]
