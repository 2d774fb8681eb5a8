"""Batches by the thousand: a document is made once, cut at its ids, and put together again with others.

Each piece between two ids has a multiple of three bytes, and so have the ids: the base64 of the whole is that of its pieces, of which the large ones
are encoded once. Generating costs next to nothing then, bijlagen of 500 kB included.
"""

import base64
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Self

from conformance.messages.batch import Batch, Bericht, Bijlage
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action
from conformance.messages.identities import flat_party
from conformance.norms import count, share
from conformance.stage.pdfs import pdf
from conformance.transport.adapter import write_json

CYCLE: Final = 20
"""So many berichten after each other have the whole mix: with the 95 % of SNO-OPS-04 one of them has no bijlage."""
_KINDS: Final[Mapping[str, str]] = {"bericht": "4000", "batch": "4001"}
_MOMENT: Final = "2000-01-01T00:00:00.000Z"
_PLACEHOLDER: Final = "00000000-0000-4{kind}-8000-{number:012x}"
_FOUND: Final = re.compile(rb"00000000-0000-4([ab])00-8000-([0-9a-f]{12})|" + _MOMENT.replace(".", r"\.").encode())
_BETWEEN: Final = b"><"
_GROUP: Final = 3
_TEXT: Final = "Wij hebben uw aanvraag ontvangen en delen u mee dat wij daarop hebben beslist. " * 9
_TOKEN_DIGITS: Final = 12
_DIGITS: Final = re.compile("[0-9a-f]{12}")


# -- ids ---------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of one run: GUIDs from which the number can be read back, so that a million of them need no table. ``token`` has 12 hex digits."""

    token: str

    def bericht(self, number: int) -> str:
        """Return the BerichtID of bericht ``number``."""
        return self._id("bericht", number)

    def batch(self, number: int) -> str:
        """Return the BatchID of batch ``number``."""
        return self._id("batch", number)

    def _id(self, kind: str, number: int) -> str:
        return f"{self.token[:8]}-{self.token[8:]}-{_KINDS[kind]}-8000-{number:012x}"

    def number_of(self, bericht_id: str) -> int | None:
        """Return the number of a BerichtID of this run, ``None`` for any other id."""
        return self._number("bericht", bericht_id)

    def batch_number_of(self, batch_id: str) -> int | None:
        """Return the number of a BatchID of this run, ``None`` for any other id."""
        return self._number("batch", batch_id)

    def _number(self, kind: str, given: str) -> int | None:
        written = given.strip().lower()
        if not _DIGITS.fullmatch(written[-_TOKEN_DIGITS:]):
            return None
        number = int(written[-_TOKEN_DIGITS:], 16)
        return number if written == self._id(kind, number) else None


# -- what is in a batch ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letter:
    """One bericht of a template: to whom, and how large its bijlage is (0: none)."""

    bsn: str
    bijlage: int


@cache
def mix() -> tuple[int, ...]:
    """Return the sizes of the bijlagen of 20 berichten after each other: small ones mostly, one as large as it may be, and the share that has none.

    The SNO says how many may have one (SNO-OPS-04) and how large it may be (SNO-OPS-05); how sizes are spread is our choice.
    """
    largest, with_one = count("SNO-OPS-05", "bytes_accepted"), int(share("SNO-OPS-04", "share") * CYCLE)
    spread = [largest, *[150_000] * 4, *[50_000] * 6, *[10_000] * CYCLE]
    sizes = spread[:with_one] + [0] * (CYCLE - with_one)
    return tuple(sizes[(7 * place) % CYCLE] for place in range(CYCLE))  # 7 and 20 have no factor in common: large ones do not come together


@dataclass(frozen=True, slots=True)
class Template:
    """A batch that was made once: pieces of its document, and between them what comes there: a bericht by its place, the batch, or the moment."""

    pieces: tuple[bytes, ...] = field(repr=False)
    gaps: tuple[int, ...] = field(repr=False)
    encoded: tuple[bytes, ...] = field(repr=False)
    size: int = 0

    _BATCH = -1
    _NOW = -2

    @classmethod
    def of(cls, oin: str, bericht_type: str, letters: Sequence[Letter]) -> Self:
        """Make the template of a batch with these letters."""
        batch_id = _PLACEHOLDER.format(kind="a00", number=0)
        berichten = tuple(_bericht(batch_id, place, bericht_type, letter) for place, letter in enumerate(letters))
        document = Batch(batch_id, _MOMENT, oin, berichten).to_xml()
        found = list(_FOUND.finditer(document))
        starts, ends = [0, *(match.end() for match in found)], [*(match.start() for match in found), len(document)]
        pieces = tuple(_padded(document[start:end]) for start, end in zip(starts, ends, strict=True))
        return cls(pieces, tuple(_gap(match) for match in found), tuple(map(base64.b64encode, pieces)), len(letters))

    def document(self, batch_id: str, ids: Sequence[str], now: datetime | None = None) -> bytes:
        """Return the document of a batch with these ids."""
        return b"".join(self._filled(self.pieces, lambda value: value, batch_id, ids, now))

    def in_base64(self, batch_id: str, ids: Sequence[str], now: datetime | None = None) -> tuple[bytes, ...]:
        """Return the pieces of the same in base64."""
        return tuple(self._filled(self.encoded, base64.b64encode, batch_id, ids, now))

    def _filled(
        self, pieces: Sequence[bytes], code: Callable[[bytes], bytes], batch_id: str, ids: Sequence[str], now: datetime | None
    ) -> Iterator[bytes]:
        moment = (now or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        named = {self._BATCH: code(batch_id.encode()), self._NOW: code(moment.encode())}
        yield pieces[0]
        for gap, piece in zip(self.gaps, pieces[1:], strict=True):
            yield named[gap] if gap < 0 else code(ids[gap].encode())
            yield piece


def _bericht(batch_id: str, place: int, bericht_type: str, letter: Letter) -> Bericht:
    bijlagen = (Bijlage.from_octets(pdf(letter.bijlage), "Besluit", 1),) if letter.bijlage else ()
    own = _PLACEHOLDER.format(kind="b00", number=place)
    return Bericht(batch_id, own, bericht_type, "Uw aanslag", letter.bsn, _TEXT, referentie=f"2026-{place:06}", bijlagen=bijlagen)


def _gap(match: "re.Match[bytes]") -> int:
    if match[1] is None:
        return Template._NOW  # noqa: SLF001  # of this module
    return Template._BATCH if match[1] == b"a" else int(match[2], 16)  # noqa: SLF001  # idem


def _padded(piece: bytes) -> bytes:
    """Return a piece with blanks between two of its elements, where they mean nothing, so that its base64 ends with it."""
    if len(piece) % _GROUP == 0 or _BETWEEN not in piece:
        return piece  # the last one may end anywhere
    blanks = b" " * (-len(piece) % _GROUP)
    return piece.replace(_BETWEEN, b">" + blanks + b"<", 1)


class Batches:
    """The batches of a run: batch ``number`` has berichten number * size and on, with the mix of bijlagen, to one citizen after another."""

    def __init__(self, connection: Mapping[str, str], ids: Ids, size: int, bsns: Sequence[str], sizes: Sequence[int] = ()) -> None:
        self._connection, self.ids, self.size = connection, ids, size
        self._bsns, self._sizes = bsns, tuple(sizes) or mix()
        self._templates: dict[int, Template] = {}

    def make_ready(self) -> None:
        """Make every template now: the bijlagen take a while, in which nothing could be sent."""
        for number in range(math.lcm(len(self._sizes), self.size) // self.size):
            self._template(number)

    def numbers(self, number: int) -> range:
        """Return the numbers of the berichten in a batch."""
        return range(number * self.size, (number + 1) * self.size)

    def document(self, number: int) -> bytes:
        """Return the document of a batch."""
        return self._template(number).document(*self._named(number))

    def in_base64(self, number: int) -> tuple[bytes, ...]:
        """Return the pieces of the document of a batch in base64."""
        return self._template(number).in_base64(*self._named(number))

    def _named(self, number: int) -> tuple[str, list[str]]:
        return self.ids.batch(number), [self.ids.bericht(one) for one in self.numbers(number)]

    def _template(self, number: int) -> Template:
        first = number * self.size % len(self._sizes)
        if first not in self._templates:
            # To whom it goes repeats with the templates: the ids are what makes a bericht another one.
            letters = [
                Letter(self._bsns[(first + place) % len(self._bsns)], self._sizes[(first + place) % len(self._sizes)]) for place in range(self.size)
            ]
            self._templates[first] = Template.of(self._connection["oin"], self._connection["bericht_type"], letters)
        return self._templates[first]


def request_around(connection: Mapping[str, str], action: Action, content_type: str = "text/xml") -> tuple[bytes, bytes]:
    """Return what comes before and after the base64 of a document in a MessageRequest of the adapter."""
    properties: dict[str, Any] = {
        "cpaId": connection["cpa_id"],
        "fromPartyId": flat_party(connection["oin"]),
        "fromRole": ROLE_AFNEMER,
        "toPartyId": flat_party(connection["logius_oin"]),
        "toRole": ROLE_LOGIUS,
        "service": SERVICE,
        "action": action,
    }
    head, _, tail = write_json({"properties": properties, "dataSources": [{"contentType": content_type, "content": "@"}]}).partition(b"@")
    return head, tail
