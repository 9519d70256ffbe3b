"""The home folder: artifacts, locks, and a mirror in remote storage."""
