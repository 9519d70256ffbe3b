"""Data drawn or shipped with a library, in place of real files: digits, clips, photos."""
