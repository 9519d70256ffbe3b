"""Readers of data sets on disk: idx, .mat, class folders, the layouts of UCF101, BU101 and MPII."""
