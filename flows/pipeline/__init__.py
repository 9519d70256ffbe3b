"""The stages of an experiment, wired as a graph that any submitter can run."""
