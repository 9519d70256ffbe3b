"""The home folder: artifacts, locks, and their mirror in a bucket."""
