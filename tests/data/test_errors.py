from data.errors import DataError, one_line


def test_another_librarys_error_becomes_one_line():
    assert one_line(OSError("no\n  such\tfile ")) == "no such file"


def test_an_error_without_text_is_called_by_its_class():
    assert one_line(EOFError()) == "EOFError"


def test_a_data_error_is_a_value_error():
    assert issubclass(DataError, ValueError)
