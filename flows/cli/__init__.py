"""The command line: its commands in `commands`, what they share beside it."""
