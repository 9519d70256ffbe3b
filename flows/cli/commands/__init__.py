"""One file per command, loaded when the command runs; `flows.cli.main` declares them."""
