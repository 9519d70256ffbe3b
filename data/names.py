"""Names of classes and files: which are the same, however they are written."""

import unicodedata


def normal(name: str) -> str:
    """A name with its accents composed: archives of macOS hold them apart, and look the same."""
    return unicodedata.normalize("NFC", name)


def fold(name: str) -> str:
    """What is the same for names that differ in Unicode form or in case alone."""
    return normal(unicodedata.normalize("NFD", name).casefold())


def both(first: str, second: str) -> str:
    """Two spellings of one name, with their code points where they look the same."""
    if normal(first) != normal(second):
        return f"'{first}' and '{second}'"
    return f"{first!a} and {second!a} (two Unicode forms of '{normal(first)}')"
