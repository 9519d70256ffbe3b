"""UCF101 in its official layout, with official split 1 (Soomro et al., 2012)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import DataError
from data.listing import File, Listing, Media
from data.reader import SPLITS, check_split
from data.readers.file_tree import (
    Tree,
    check_complete,
    homes,
    name_key,
    not_zero,
    read_lines,
    read_tree,
)

CLIPS = Path("UCF-101")
LISTS = Path("ucfTrainTestlist")
CLASS_LIST = "classInd.txt"
SPLIT_LISTS = {"train": "trainlist01.txt", "test": "testlist01.txt"}
OFFICIAL_COUNTS = {"train": 9_537, "test": 3_783}
# In the order of the class list, which is not quite alphabetical.
CLASSES = (
    "ApplyEyeMakeup", "ApplyLipstick", "Archery", "BabyCrawling", "BalanceBeam", "BandMarching",
    "BaseballPitch", "Basketball", "BasketballDunk", "BenchPress", "Biking", "Billiards",
    "BlowDryHair", "BlowingCandles", "BodyWeightSquats", "Bowling", "BoxingPunchingBag",
    "BoxingSpeedBag", "BreastStroke", "BrushingTeeth", "CleanAndJerk", "CliffDiving",
    "CricketBowling", "CricketShot", "CuttingInKitchen", "Diving", "Drumming", "Fencing",
    "FieldHockeyPenalty", "FloorGymnastics", "FrisbeeCatch", "FrontCrawl", "GolfSwing", "Haircut",
    "Hammering", "HammerThrow", "HandstandPushups", "HandstandWalking", "HeadMassage", "HighJump",
    "HorseRace", "HorseRiding", "HulaHoop", "IceDancing", "JavelinThrow", "JugglingBalls",
    "JumpingJack", "JumpRope", "Kayaking", "Knitting", "LongJump", "Lunges", "MilitaryParade",
    "Mixing", "MoppingFloor", "Nunchucks", "ParallelBars", "PizzaTossing", "PlayingCello",
    "PlayingDaf", "PlayingDhol", "PlayingFlute", "PlayingGuitar", "PlayingPiano", "PlayingSitar",
    "PlayingTabla", "PlayingViolin", "PoleVault", "PommelHorse", "PullUps", "Punch", "PushUps",
    "Rafting", "RockClimbingIndoor", "RopeClimbing", "Rowing", "SalsaSpin", "ShavingBeard",
    "Shotput", "SkateBoarding", "Skiing", "Skijet", "SkyDiving", "SoccerJuggling", "SoccerPenalty",
    "StillRings", "SumoWrestling", "Surfing", "Swing", "TableTennisShot", "TaiChi", "TennisSwing",
    "ThrowDiscus", "TrampolineJumping", "Typing", "UnevenBars", "VolleyballSpiking",
    "WalkingWithDog", "WallPushups", "WritingOnBoard", "YoYo",
)  # fmt: skip
# File names say HandStandPushups; other sources of the same classes have other spellings.
SPELLINGS = {name_key(name): name for name in CLASSES}
CLASS_LINE = re.compile(r"(\d+)\s+(\S.*)")
CLIP_LINE = re.compile(
    r"(?P<clip>(?P<folder>[^/\s]+)/v_(?P<name>\S+)_g(?P<recording>\d+)_c\d+\.avi)"
    r"(\s+(?P<number>\d+))?",
)


@dataclass(frozen=True)
class _Clip:
    """A clip named by a list."""

    named: str
    class_name: str
    group: str


@dataclass(frozen=True)
class Ucf101Reader:
    """Reads `ROOT[/UCF101]/UCF-101/<Class>/*.avi` with the lists in `ucfTrainTestlist/`.

    Folders and files are found in any case. A clip's group is the recording it was cut from. With
    `partial`, the classes are those with an existing clip in either split, so that both splits have
    the same classes.
    """

    name: str = "ucf101"
    media: Media = "clips"
    embedded: bool = False
    version: int = 1

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """List the clips of an official split in the order of its list.

        Raises:
            DataError: if a folder or list is missing, a line is malformed, names an unknown class
                or repeats a clip, or a recording is on both sides; unless `partial`, also if
                clips are missing.
        """
        check_split(split)
        base = _base(root)
        folder, list_name = base / CLIPS, SPLIT_LISTS[split]
        classes = read_class_list(base / LISTS / CLASS_LIST)
        lists = {side: _read_list(base / LISTS / SPLIT_LISTS[side], classes) for side in SPLITS}
        _check_groups(lists)
        tree = read_tree(folder)
        there = {side: _there(clips, tree) for side, clips in lists.items()}
        missing = [clip.named for clip in lists[split] if clip not in there[split]]
        if not partial:
            check_complete(len(lists[split]), missing, "clips", list_name, folder)
        used = {path for clips in there.values() for path in clips.values()}
        skipped = {
            f"named in {list_name} but missing": len(missing),
            "in no list of split 1": len(tree.files) - len(used),
            **tree.unused(),
        }
        present = {clip.class_name for clips in there.values() for clip in clips}
        kept = tuple(name for name in classes if name in present)
        return _listing(folder, split, there[split], kept, not_zero(skipped))


def read_class_list(path: Path) -> tuple[str, ...]:
    """Read the class names of `classInd.txt`, by number and in the usual spelling.

    Raises:
        DataError: if the file is missing, a line is not `<number> <name>`, the numbers are not
            1, 2, ..., or a name is repeated.
    """
    names: list[str] = []
    for line_number, line in read_lines(path):
        match = CLASS_LINE.fullmatch(line)
        name = SPELLINGS.get(name_key(match[2]), match[2]) if match else ""
        if (
            match is None
            or int(match[1]) != len(names) + 1
            or name_key(name) in map(name_key, names)
        ):
            raise DataError(
                f"{path}, line {line_number}: expected '{len(names) + 1} <a new class>', found "
                f"'{line}': use UCF101's {CLASS_LIST}."
            )
        names.append(name)
    return tuple(names)


def _base(root: Path) -> Path:
    base = next((place for place in homes(root, "UCF101") if (place / CLIPS).is_dir()), None)
    if base is None:
        raise DataError(
            f"Expected UCF101's folder {CLIPS} in {root} or {root / 'UCF101'}, found neither: "
            f"give the folder that contains {CLIPS} and {LISTS}."
        )
    return base


def _read_list(path: Path, classes: Sequence[str]) -> tuple[_Clip, ...]:
    """The clips of a list, in order."""
    numbers = {name_key(name): number for number, name in enumerate(classes, 1)}
    clips: dict[str, _Clip] = {}
    for line_number, line in read_lines(path):
        where = f"{path}, line {line_number}"
        clip = _parse(line, where, classes, numbers)
        if clip.named.casefold() in clips:
            raise DataError(
                f"{where}: expected every clip once, found {clip.named} again: remove the line."
            )
        clips[clip.named.casefold()] = clip
    return tuple(clips.values())


def _parse(line: str, where: str, classes: Sequence[str], numbers: Mapping[str, int]) -> _Clip:
    match = CLIP_LINE.fullmatch(line)
    if match is None or match["folder"].casefold() != match["name"].casefold():
        raise DataError(
            f"{where}: expected '<Class>/v_<Class>_gNN_cNN.avi', in train lists with the class's "
            f"number, found '{line}': use the official list."
        )
    number = numbers.get(name_key(match["folder"]))
    if number is None:
        raise DataError(
            f"{where}: expected a class of {CLASS_LIST}, found {match['folder']}: use lists from "
            "the same source."
        )
    if match["number"] is not None and int(match["number"]) != number:
        raise DataError(
            f"{where}: expected {number}, the number of {match['folder']} in {CLASS_LIST}, found "
            f"{match['number']}: use lists from the same source."
        )
    name = classes[number - 1]
    return _Clip(match["clip"], name, f"{name}_g{match['recording']}")


def _check_groups(lists: Mapping[str, Iterable[_Clip]]) -> None:
    """Reject a recording on both sides, whose near-identical frames would leak the test."""
    train, test = ({clip.group for clip in lists[side]} for side in ("train", "test"))
    if train & test:
        raise DataError(
            f"Expected no recording in both {SPLIT_LISTS['train']} and {SPLIT_LISTS['test']}, "
            f"found {min(train & test)} in both: use the official lists."
        )


def _there(clips: Iterable[_Clip], tree: Tree) -> dict[_Clip, str]:
    """The existing clips, with their paths."""
    found = ((clip, tree.find(clip.named)) for clip in clips)
    return {clip: path for clip, path in found if path is not None}


def _listing(
    folder: Path,
    split: str,
    there: Mapping[_Clip, str],
    classes: tuple[str, ...],
    skipped: Mapping[str, int],
) -> Listing:
    official = len(there) == OFFICIAL_COUNTS[split] and classes == CLASSES
    return Listing(
        root=folder,
        files=tuple(
            File(path=path, label=classes.index(clip.class_name), group=clip.group)
            for clip, path in there.items()
        ),
        classes=classes,
        origin=_origin(split, len(there), len(classes), official=official),
        official=official,
        skipped=skipped,
    )


def _origin(split: str, count: int, classes: int, *, official: bool) -> str:
    if official:
        return f"UCF101 split 1 with {count:,} {SPLITS[split]} clips, the official count"
    return (
        f"UCF101 split 1 with {count:,} of the official {OFFICIAL_COUNTS[split]:,} "
        f"{SPLITS[split]} clips, {classes} of {len(CLASSES)} classes: not the official split"
    )
