"""Data sets that need no files, drawn or shipped with a library: digits, clips, photos."""
