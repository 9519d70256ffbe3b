"""Readers of data sets on disk: idx, .mat, tables, class folders, UCF101, BU101 and MPII."""
