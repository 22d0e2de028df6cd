import pytest

from ganutils.changes import file_name, parse, written


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("", []),
        (" ; ;", []),
        ("a=1", [{"a": "1"}]),
        ("a=1; b=x,y ;c= 2.0e-4 ", [{"a": "1"}, {"b": "x,y"}, {"c": "2.0e-4"}]),
        ("a=1 + b=2;c=3", [{"a": "1", "b": "2"}, {"c": "3"}]),
        ("a=1e+3", [{"a": "1e+3"}]),
        ("a=", [{"a": ""}]),
        ("a=b=c", [{"a": "b=c"}]),
        ("a: 1; b : x=y", [{"a": "1"}, {"b": "x=y"}]),
    ],
)
def test_parse(text, changes):
    assert parse(text) == changes
    assert parse("; ".join(written(change) for change in changes)) == changes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "has 'a', which is no name=value"),
        ("a=1; b", "has 'b'"),
        ("=1", "has '=1'"),
        ("a b=1", "has 'a b=1'"),
        ("a=1 + ", "has ''"),
        ("a=1 + b=2 + a=3", "sets a twice in one change"),
    ],
)
def test_what_is_no_change(text, message):
    with pytest.raises(ValueError, match=r"no name=value|twice") as caught:
        parse(text)
    assert message in str(caught.value)


def test_file_names_hold_no_separator_of_paths():
    assert file_name({"d_norm": "spectral", "ema": 0.99}) == "d_norm-spectral+ema-0.99"
    assert file_name({"augment": "color,translation"}) == "augment-color-translation"
    assert file_name({"x": "../y", "z": -1}) == "x-..-y+z--1"
