"""Drafts of experiment files, from the folders that a user has.

May import `flows.checks` and what lies below it.
"""
