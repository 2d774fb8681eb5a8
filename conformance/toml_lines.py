"""Tells on which line of a TOML document each section and key stands: tomllib does not, and an error message without a line is a riddle.

It reads documents that tomllib took, and trusts them to be TOML.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Final

Place = tuple[str | int, ...]

_TOKEN: Final = re.compile(
    r'''
      """(?:\\.|(?!""")[^\\])*"""(?:"{1,2})?     # a basic text of several lines may end in two quotes of its own
    | \'\'\'(?:(?!\'\'\').)*\'\'\'(?:'{1,2})?
    | "(?:\\.|[^"\\])*" | '[^']*'
    | \#[^\n]* | \n | [\[\]{}=.,]
    | [^\s"'\#\[\]{}=.,]+
    ''',
    re.VERBOSE | re.DOTALL,
)
_OPENING: Final = ("[", "{")
_CLOSING: Final = ("]", "}")


def places_of(text: str) -> dict[Place, int]:
    """Return the line of every section and key: tomllib does not tell. Keys inside an inline table have the line of that table."""
    places: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    section: Place = ()
    for line, tokens in _statements(text):
        if tokens[0] == "[":
            names = _names(tokens[1:])
            section = _opened(names, counts, is_array=tokens[1] == "[")
            places.setdefault(section, line)
            places.setdefault(names, line)
        else:
            place = section
            for name in _names(tokens[: tokens.index("=")]):
                place = (*place, name)
                places.setdefault(place, line)
    return places


def _opened(names: Place, counts: dict[Place, int], *, is_array: bool) -> Place:
    """Return the place that a header opens; in an array of tables that is the last one."""
    place: Place = ()
    for position, name in enumerate(names, 1):
        place = (*place, name)
        if is_array and position == len(names):
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each header and each key with its value as pieces, and the line on which it begins."""
    pieces: list[str] = []
    line = begin = 1
    depth = 0
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if piece == "\n" and not depth and pieces:
            yield begin, pieces
            pieces = []
        elif piece != "\n" and not piece.startswith("#"):
            begin = begin if pieces else line
            pieces.append(piece)
            depth += (piece in _OPENING) - (piece in _CLOSING)
        line += piece.count("\n")
    if pieces:
        yield begin, pieces


def _names(tokens: Sequence[str]) -> Place:
    return tuple(_unquoted(token) for token in tokens if token not in {"[", "]", "."})


def _unquoted(token: str) -> str:
    return str(tomllib.loads(f"name = {token}")["name"]) if token[0] in "\"'" else token
