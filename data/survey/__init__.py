"""What photos and clips are, told without decoding them all: counts, sizes, formats, copies.

May import what reads files. Nothing here changes or writes a file.
"""
