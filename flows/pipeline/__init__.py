"""The stages of an experiment as a graph, for any submitter."""
