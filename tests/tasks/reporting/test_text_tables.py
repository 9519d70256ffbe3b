"""Tables as text."""

from tasks.reporting.text_tables import csv_text, markdown_table, plain_table


def test_plain_columns_are_left_or_right_aligned():
    text = plain_table(["a", "bb"], [["long", "1"], ["x", "22.5"]])
    assert text == "a       bb\n----  ----\nlong     1\nx     22.5"


def test_a_bar_in_a_cell_does_not_break_a_markdown_table():
    text = markdown_table(["a|b", "n"], [["c | d", "1"]])
    assert text == "| a\\|b   |   n |\n| ------ | --: |\n| c \\| d |   1 |"


def test_csv_quotes_what_holds_a_comma():
    assert csv_text(["a", "b"], [{"a": "x, y", "b": None}]) == 'a,b\n"x, y",\n'
