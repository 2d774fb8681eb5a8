"""Hides BSNs in everything that leaves the ledger: reports, evidence, terminal and logs.

The one place that knows what a BSN looks like in text. What stands inside base64, percent-encoding or a compressed body is not text, and is
not looked into: whoever quotes such content unpacks it first. Masking a second time changes nothing.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

STARS = "*****"
_KEPT = 4
_SHORTEST = 8  # of fewer characters nothing is kept: four of five would give the number away

# The names under which the koppelvlak carries a BSN: Bericht, test-control, and Key of the ValidatieService.
_NAMES = r"(?:(?i:gebruikerid|bsn)|Key)"
_BARE_NAMES = r"(?:(?i:gebruikerid|bsn))"

_ALONE = re.compile(r"(?:(?<![0-9A-Za-z])|(?<=[Bb][Ss][Nn]))([0-9]{9})(?![0-9A-Za-z])")
# No hyphen beside it: the first group of a GUID and a date with an offset have eight digits too.
_EIGHT = re.compile(r"(?<![0-9A-Za-z-])([0-9]{8})(?![0-9A-Za-z-])")
_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_GROUPED_423 = re.compile(r"(?<![0-9A-Za-z])[0-9]{4}([. \u00a0])[0-9]{2}\1[0-9]{3}(?![0-9A-Za-z])")
_GROUPED_333 = re.compile(r"(?<![0-9A-Za-z])[0-9]{3}([. \u00a0-])[0-9]{3}\1[0-9]{3}(?![0-9A-Za-z])")

# A quoted value holds no "<" (XML forbids it): that keeps the search linear on hostile input.
_START_TAG = rf"""<(?:[\w.-]+:)?{_NAMES}(?:\s(?:"[^"<]*"|'[^'<]*'|[^"'<>])*)?(?<!/)>"""
_CONTENT = r"(?:<!\[CDATA\[(?s:.*?)(?:\]\]>|\Z)|<!--(?s:.*?)(?:-->|\Z)|[^<]++)*+"
_ELEMENT = re.compile(rf"({_START_TAG})({_CONTENT})")
_PIECE = re.compile(r"(<!\[CDATA\[)((?s:.*?))(\]\]>|\Z)|(<!--)((?s:.*?))(-->|\Z)|([^<]+)")
_ATTRIBUTE = re.compile(rf"""(?<![\w.-])((?:[\w.-]+:)?{_NAMES}\s*=\s*)(?:"([^"<]*)"|'([^'<]*)')""")
_ASSIGNED = re.compile(rf"""(?<![\w.-])({_BARE_NAMES}=)([^\s"'&<>,;]+)""")
_STRING = r"""(?:"(?:[^"\\]|\\.?)*+(?:"|\Z)|'(?:[^'\\]|\\.?)*+(?:'|\Z))"""  # a quote may be cut off
_NUMBER = r"-?[0-9][0-9*.eE+-]*"
_JSON_LIST = r"\[[^\[\]{}]*(?:\]|\Z)"
_JSON = re.compile(rf"""(["']{_NAMES}["']\s*:\s*)({_STRING}|{_NUMBER}|{_JSON_LIST})""")
_JSON_VALUE = re.compile(rf"{_STRING}|{_NUMBER}")
_SENSITIVE = re.compile(_NAMES)


def mask(text: str) -> str:
    """Return ``text`` with every BSN hidden: the first four digits stay, stars replace the rest (``9999*****``).

    Hidden are stand-alone runs of nine digits, their dotted or spaced forms, eight digits that are a BSN without its leading zero (unless they
    read as a date), and whatever stands in an element, attribute or JSON key that carries a BSN, so that a malformed BSN is hidden as well.
    OINs and GUIDs stay.
    """
    return _mask_fields(_mask_numbers(text))


def mask_bytes(data: bytes) -> bytes:
    """Return ``data`` with every BSN hidden; the bytes around them stay as they are, whatever their encoding."""
    encoding = _wide_encoding(data)
    if encoding is None:
        return mask(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    whole = len(data) - len(data) % 2
    return mask(data[:whole].decode(encoding, "surrogatepass")).encode(encoding, "surrogatepass") + data[whole:]


def masked_json(value: Any) -> Any:
    """Return a copy of a JSON structure with every BSN hidden, in keys, strings and whole numbers (which become strings)."""
    return _walk(value, _masked_leaf)


def _wide_encoding(data: bytes) -> str | None:
    """Return the UTF-16 that ``data`` is written in, by its byte order mark or its first ``<``."""
    if data.startswith((b"\xff\xfe", b"<\x00")):
        return "utf-16-le"
    if data.startswith((b"\xfe\xff", b"\x00<")):
        return "utf-16-be"
    return None


def _mask_numbers(text: str) -> str:
    text = _GROUPED_423.sub(lambda found: found[0][:_KEPT] + STARS, text)
    text = _GROUPED_333.sub(_hidden_when_valid, text)
    text = _ALONE.sub(lambda found: found[0][:_KEPT] + STARS, text)
    return _EIGHT.sub(_hidden_without_zero, text)


def _hidden_when_valid(found: re.Match[str]) -> str:
    """Hide three groups of three only when the elfproef holds: amounts of money are written so too."""
    digits = re.sub(r"[^0-9]", "", found[0])
    return digits[:_KEPT] + STARS if _passes_elfproef(digits) else found[0]


def _hidden_without_zero(found: re.Match[str]) -> str:
    if _DATE.fullmatch(found[0]) or not _passes_elfproef("0" + found[0]):
        return found[0]
    return found[0][:_KEPT] + STARS


def _passes_elfproef(digits: str) -> bool:
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 11 == 0


def _mask_fields(text: str) -> str:
    text = _ELEMENT.sub(lambda found: found[1] + _PIECE.sub(_hidden_piece, found[2]), text)
    text = _ATTRIBUTE.sub(_hidden_attribute, text)
    text = _JSON.sub(lambda found: found[1] + _hidden_json(found[2]), text)
    return _ASSIGNED.sub(lambda found: found[1] + _hide(found[2]), text)


def _hidden_piece(found: re.Match[str]) -> str:
    """Hide one piece of an element's content: a CDATA section, a comment or text."""
    if found[7] is not None:
        return _hide(found[7])
    opening, inside, closing = found.group(1, 2, 3) if found[1] else found.group(4, 5, 6)
    return f"{opening}{_hide(inside)}{closing}"


def _hidden_attribute(found: re.Match[str]) -> str:
    if found[2] is not None:
        return f'{found[1]}"{_hide(found[2])}"'
    return f"{found[1]}'{_hide(found[3])}'"


def _hidden_json(value: str) -> str:
    return _JSON_VALUE.sub(_hidden_json_value, value)


def _hidden_json_value(found: re.Match[str]) -> str:
    """Hide a string between its own quotes, and a number as a string: stars are no number."""
    value = found[0]
    quote = value[0]
    if quote not in "\"'":
        return f'"{_hide(value)}"'
    return quote + _hide(value[1:].removesuffix(quote)) + (quote if value.endswith(quote) and len(value) > 1 else "")


def _hide(value: str) -> str:
    """Hide a value whatever it is; white space around it stays, and so does emptiness, because both are what a finding is about."""
    core = value.strip()
    if not core:
        return value
    start = value.index(core)
    kept = core[:_KEPT] if len(core) >= _SHORTEST and re.match(r"[0-9]{4}", core) else ""
    return value[:start] + kept + STARS + value[start + len(core) :]


def _walk(value: Any, leaf: Callable[[Any], Any]) -> Any:
    if isinstance(value, Mapping):
        return _walk_object(value, leaf)
    if isinstance(value, list | tuple):
        return [_walk(item, leaf) for item in value]
    return leaf(value)


def _walk_object(value: Mapping[str, Any], leaf: Callable[[Any], Any]) -> dict[str, Any]:
    """Mask the keys too; two that look the same afterwards are numbered, so that nothing disappears."""
    result: dict[str, Any] = {}
    for key, item in value.items():
        name = masked = mask(key)
        number = 2
        while name in result:
            name, number = f"{masked}#{number}", number + 1
        result[name] = _walk(item, _hidden_leaf if _SENSITIVE.fullmatch(key) else leaf)
    return result


def _masked_leaf(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    masked = mask(str(value))
    return value if masked == str(value) else masked


def _hidden_leaf(value: Any) -> Any:
    """Hide a leaf under a key that carries a BSN; true, false and null say nothing about anyone."""
    return value if value is None or isinstance(value, bool) else _hide(str(value))
