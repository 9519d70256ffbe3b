"""Names of files and folders that operating systems and programs leave among the user's own."""

import re

HIDDEN = "hidden files and folders"
_KINDS = (
    ("resource forks of macOS", r"\._.*|__macosx|\.appledouble|\.appledb|\.appledesktop"),
    ("recycle bins", r"\.trash.*|#recycle|@recycle|\$recycle\.bin|(?-i:RECYCLER|RECYCLED)"),
    (
        "thumbnails and folders of network drives",
        r"@eadir|\.?@__thumb|@tmp|@sharebin|#snapshot|~snapshot|\.snapshots?|\.zfs"
        r"|synofile_.*|synophoto_.*|synoindex_.*|network trash folder|temporary items",
    ),
    (
        "thumbnails and settings of desktops",
        r"\.ds_store|(eh)?thumbs(_.*)?\.db(:.*)?|desktop\.ini|icon\r|\.directory|\.localized"
        r"|\.?thumb(nail)?s|\.picasa\.ini|picasa\.ini|zbthumbnail\.info|\.picasaoriginals",
    ),
    (
        "folders of file systems and programs",
        r"lost\+found|system volume information|found\.\d{3}|\.spotlight-v100|\.fseventsd"
        r"|\.documentrevisions-v100|\.temporaryitems|__pycache__|\.ipynb_checkpoints",
    ),
    (HIDDEN, r"\..*"),
)
_PATTERNS = tuple(
    (kind, re.compile(pattern, re.DOTALL | re.IGNORECASE)) for kind, pattern in _KINDS
)
_ANY = re.compile("|".join(f"(?:{pattern})" for _, pattern in _KINDS), re.DOTALL | re.IGNORECASE)
"""Most names are the user's own, so that one pattern decides."""


def why_ignored(name: str) -> str | None:
    """The kind of system file or folder with this name; None if it is the user's own."""
    if not _ANY.fullmatch(name):
        return None
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(name)), None)
