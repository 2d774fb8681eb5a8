"""What each key of a profile may hold, with an example: the words of the error messages a user sees first."""

import difflib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from conformance.afnemer.driver import Verb
from conformance.berichtenbox.register import DEFAULT_OIN
from conformance.catalogue import UnknownRequirement, catalogue
from conformance.limits import limits
from conformance.masking import mask
from conformance.messages.identities import PARTY_PREFIX, is_oin

SERVICES: Final = ("aanleveren", "abonnementen", "validatie")
DEFAULT_URL: Final = "http://127.0.0.1:9001"
DEFAULT_PORT: Final = 8800
_LONGEST_TEXT: Final = 1_000
_LONGEST_SHOWN: Final = 60
_HIGHEST_PORT: Final = 65_535
_LONGEST_REACTION_S: Final = 3_600


class UnfitError(ValueError):
    """A value that does not fit its key; an empty ``hint`` stands for the example of the key."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


@dataclass(frozen=True, slots=True)
class Key:
    """How a key is checked, with an example; of a secret one the value is never shown."""

    check: Callable[[Any], Any]
    example: str
    is_secret: bool = False


def a_text(value: Any) -> str:
    """Return a text of one line that says something; raises :class:`UnfitError`."""
    if not isinstance(value, str):
        raise UnfitError(f"expected a text between quotes, this is {_kind(value)}.")
    if not value.strip() or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise UnfitError(f"expected a text of 1 to {_LONGEST_TEXT} characters on one line.")
    return value


def _oin(value: Any) -> str:
    if not isinstance(value, str):
        raise UnfitError(f"an OIN is a text between quotes, this is {_kind(value)}.", 'write oin = "00000099000000001000": a number loses its zeros')
    if value.startswith(PARTY_PREFIX):
        raise UnfitError("an OIN has 20 digits and no prefix.", f"leave out {PARTY_PREFIX}")
    if not is_oin(value):
        seen = f"this has {len(value)}." if value.isdecimal() and value.isascii() else "and nothing else."
        raise UnfitError(f"an OIN has 20 digits, {seen}", "copy it from the Subject.serialNumber of your PKIoverheid certificate")
    return value


def _bericht_type(value: Any) -> str:
    text = a_text(value)
    if len(text) > limits().bericht_type_max:
        raise UnfitError(f"a BerichtType has 1 to {limits().bericht_type_max} characters, {shown(text)} has {len(text)}.")
    return text


def _service(value: Any) -> str:
    return _one_of(*SERVICES)(value)


def _list_of(check: Callable[[Any], str], *, least: int = 1) -> Callable[[Any], tuple[str, ...]]:
    def checked(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise UnfitError(f"expected a list between square brackets, this is {_kind(value)}.")
        if len(value) < least:
            raise UnfitError("expected at least one.")
        return tuple(dict.fromkeys(check(item) for item in value))

    return checked


def _one_of(*choices: str) -> Callable[[Any], str]:
    def checked(value: Any) -> str:
        if value not in choices:
            raise UnfitError(f"expected one of {', '.join(choices)}.", did_you_mean(str(value), choices))
        return str(value)

    return checked


def _port(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _HIGHEST_PORT:
        raise UnfitError(f"expected a whole number from 0 (a free port) to {_HIGHEST_PORT}.")
    return value


def _host(value: Any) -> str:
    text = a_text(value)
    if "/" in text or " " in text:
        raise UnfitError("expected the name or address of a host, without http:// and without a path.")
    return text


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 < value <= _LONGEST_REACTION_S:
        raise UnfitError(f"expected a number of seconds above 0, at most {_LONGEST_REACTION_S}.")
    return float(value)


def split_url(url: str) -> SplitResult | None:
    """Return the parts of an HTTP URL, ``None`` when it is none."""
    try:
        parts = urlsplit(url)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        return None
    return parts if is_http else None


def _url(value: Any) -> str:
    text = a_text(value)
    if split_url(text) is None:
        raise UnfitError("not an http:// or https:// URL.")
    return text


def _commands(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value:
        raise UnfitError("expected a table with a command for each verb.")
    for verb in value:
        if verb not in list(Verb):
            raise UnfitError(f"{verb!r} is no verb.", did_you_mean(verb, list(Verb)) or f"the verbs are {', '.join(Verb)}")
    return {verb: a_text(command) for verb, command in value.items()}


def requirement_id(value: Any) -> str:
    """Return the id of a requirement of the catalogue; raises :class:`UnfitError`, which names the ids that look like it."""
    try:
        return catalogue().require(a_text(value)).id
    except UnknownRequirement as error:
        hint = f"did you mean {', '.join(error.near)}?" if error.near else "`berichtenbox specs list` shows every id"
        raise UnfitError("not a requirement of the catalogue.", hint) from None


def _date(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise UnfitError(f"expected a date without quotes, this is {_kind(value)}.")
    return value


SECTIONS: Final[Mapping[str, Mapping[str, Key]]] = {
    "afnemer": {
        "name": Key(a_text, 'name = "Gemeente Voorbeeld"'),
        "oin": Key(_oin, f'oin = "{DEFAULT_OIN}"'),
        "bericht_types": Key(_list_of(_bericht_type), 'bericht_types = ["BELAST", "PASPOORT"]'),
        "services": Key(_list_of(_service), 'services = ["aanleveren"]'),
        "intermediair_for": Key(_list_of(_oin, least=0), f'intermediair_for = ["{DEFAULT_OIN}"]'),
        "gateway": Key(_url, 'gateway = "https://127.0.0.1:9443/ebms"', is_secret=True),
    },
    "driver": {
        "kind": Key(_one_of("http", "command", "python", "manual", "none"), 'kind = "http"'),
        "url": Key(a_text, f'url = "{DEFAULT_URL}"', is_secret=True),
        "command": Key(a_text, 'command = "./shim.sh"', is_secret=True),
        "commands": Key(_commands, 'berichten = "./ctl send" below [driver.commands]', is_secret=True),
        "python": Key(a_text, 'python = "package.module:Class"', is_secret=True),
        "restart": Key(a_text, 'restart = "systemctl restart afnemer"', is_secret=True),
    },
    "berichtenbox": {
        "face": Key(_one_of("adapter", "ebms"), 'face = "adapter"'),
        "host": Key(_host, 'host = "127.0.0.1"'),
        "port": Key(_port, f"port = {DEFAULT_PORT}"),
        "cpa_id": Key(a_text, f'cpa_id = "MIJNOVERHEID-EBMS-BB-2-0_{DEFAULT_OIN}"'),
        "cpa": Key(a_text, 'cpa = "cpa.xml"'),
        "tls": Key(a_text, 'tls = "pki/"'),
        "register": Key(a_text, 'register = "burgers.csv"'),
    },
    "timing": {"reaction_s": Key(_seconds, "reaction_s = 10")},
}
FAILURE_KEYS: Final[Mapping[str, Key]] = {
    "id": Key(requirement_id, 'id = "AANL-014"'),
    "reason": Key(a_text, 'reason = "the supplier delivers in January"'),
    "owner": Key(a_text, 'owner = "J. Jansen"'),
    "until": Key(_date, "until = 2027-01-31"),
}
LOCATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "http": ("url",),
    "command": ("command", "commands", "url"),
    "python": ("python", "url"),
    "manual": (),
    "none": (),
}
CLASS: Final = re.compile(r"\w+(?:\.\w+)*:\w+")


def _kind(value: Any) -> str:
    names = ((bool, "true or false"), (int | float, "a number"), (str, "a text"), (list, "a list"), (dict, "a table"))
    return next((name for kind, name in names if isinstance(value, kind)), "a date or time")


def did_you_mean(seen: str, known: Sequence[str]) -> str:
    """Return a hint that names the known word nearest to what was seen, or an empty text."""
    near = difflib.get_close_matches(seen.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else ""


def shown(value: Any) -> str:
    """Return a value as it stands in TOML, more or less: short, and without BSNs."""
    text = mask(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
