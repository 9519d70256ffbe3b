"""Drafts of experiment files from a user's folders.

May import `flows.checks` and what lies below it.
"""
