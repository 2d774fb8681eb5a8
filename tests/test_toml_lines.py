"""Tests of the lines of keys in TOML."""

import tomllib

import pytest

from conformance.toml_lines import places_of

DOCUMENT = '''\
# a comment with [brackets] and "quotes
top = 1

["quoted \\u0041"]  # comment
'bare key' = """
[not.a.section]
x = 1 \\""" still """""
after = [ "]", '[', # ] comment
  [1, 2], { a = "}" } ]
dotted.key."part" = 3
literal = \'\'\'
[no]
''quotes'\'\'\'
[a.b]
c = 2026-11-24T10:00:00.5Z
[[list]]
id = 1
[list.sub]
x = 1
[[list]]
[[list.inner]]
y = 2
[[list.inner]]
y = 3
[after]
z = -1.5e3
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("quoted A",), 4),
        (("quoted A", "bare key"), 5),
        (("quoted A", "after"), 8),
        (("quoted A", "dotted"), 10),
        (("quoted A", "dotted", "key", "part"), 10),
        (("quoted A", "literal"), 11),
        (("a", "b"), 14),
        (("a", "b", "c"), 15),
        (("list",), 16),
        (("list", 0, "id"), 17),
        (("list", 0, "sub", "x"), 19),
        (("list", 1), 20),
        (("list", 1, "inner", 0, "y"), 22),
        (("list", 1, "inner", 1, "y"), 24),
        (("after", "z"), 26),
    ],
)
def test_line_of_a_key(place, line):
    """
    Strings of several lines, quotes, comments, nested arrays and arrays of tables do not confuse the count.
    """
    tomllib.loads(DOCUMENT)

    places = places_of(DOCUMENT)

    assert places[place] == line


def test_what_looks_like_a_section_in_a_text_is_none():
    """
    A text of several lines holds no sections.
    """
    places = places_of(DOCUMENT)

    assert not {("not",), ("not", "a", "section"), ("no",)} & places.keys()


def test_last_line_may_have_no_end():
    """
    A document without a line break at its end is read to its end; an empty one has no places.
    """
    assert places_of("a = 1\nb = 2") == {("a",): 1, ("b",): 2}
    assert places_of("") == {}
