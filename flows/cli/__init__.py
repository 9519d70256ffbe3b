"""The command line: its commands in `commands`, shared code next to it."""
