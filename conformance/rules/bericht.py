"""Rules over one bericht: its ids, its type, its dates, its text and its citizen."""

import re

from conformance.limits import limits
from conformance.messages.batch import Batch, Bericht
from conformance.messages.identities import is_bsn_shaped, is_guid, is_nil, passes_elfproef, same_guid
from conformance.messages.moments import Zone, read_moment
from conformance.rules.findings import Knowledge, Objection
from conformance.rules.registry import on_bericht

_LINE_BREAKS = ("\r", "\n", "\u2028", "\u2029", "\u0085")
_URL = re.compile(r"https?://\S+")
_MARKUP = re.compile(
    r"</?(?:p|br|b|i|u|strong|em|a|ul|ol|li|div|span|h[1-6]|table|tr|td)\b[^<>]*>|&(?:amp|lt|gt|quot|apos|nbsp|[ae]acute|#\d+);", re.IGNORECASE
)
_WRITTEN_BREAK = "\\r\\n"


@on_bericht("AANL-050")
def batch_id_is_repeated(bericht: Bericht, batch: Batch, _known: Knowledge) -> Objection | None:
    """Each bericht repeats the BatchID of its batch."""
    if same_guid(bericht.batch_id, batch.batch_id):
        return None
    also = " (it is the BerichtID)" if same_guid(bericht.batch_id, bericht.bericht_id) else ""
    return Objection(f"BatchID {batch.batch_id}", f"{bericht.batch_id or 'nothing'}{also}", "BerichtInformatie/BatchID")


@on_bericht("AANL-051")
def bericht_id_is_a_guid(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """The BerichtID is a GUID in ASCII."""
    return (
        None
        if is_guid(bericht.bericht_id)
        else Objection("a GUID of ASCII hex digits, without braces", "something else", "BerichtInformatie/BerichtID")
    )


@on_bericht("AANL-052")
def bericht_id_is_not_nil(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """The BerichtID is not the GUID with which Logius says that it could not read one."""
    return Objection("a GUID of its own", "the nil GUID", "BerichtInformatie/BerichtID") if is_nil(bericht.bericht_id) else None


@on_bericht("AANL-054", when=lambda _bericht, _batch, known: known.earlier is not None)
def bericht_id_is_not_reused(bericht: Bericht, _batch: Batch, known: Knowledge) -> Objection | None:
    """A BerichtID comes again only for the same letter: never for another citizen, never with other content once it was stored."""
    before = (known.earlier or {}).get(bericht.bericht_id.lower())
    if before is None:
        return None
    if before.gebruiker_id != bericht.gebruiker_id:
        return Objection("a BerichtID of its own for each letter", "a BerichtID of a letter to another citizen", "BerichtInformatie/BerichtID")
    if before.is_stored and before.digest != bericht.digest():
        return Objection("a BerichtID of its own for each letter", "a BerichtID of a stored letter with other content", "BerichtInformatie/BerichtID")
    return None


@on_bericht("AANL-056", when=lambda bericht, _batch, known: known.bericht_types is not None and bool(bericht.bericht_type))
def bericht_type_is_active(bericht: Bericht, _batch: Batch, known: Knowledge) -> Objection | None:
    """The BerichtType exists and is active in the leveranciersportaal, spelled exactly so."""
    types = known.bericht_types or {}
    if types.get(bericht.bericht_type):
        return None
    named = bericht.bericht_type if len(bericht.bericht_type) <= limits().bericht_type_max else "a longer text"
    seen = f"{named}, which is not active" if bericht.bericht_type in types else f"{named}, which does not exist"
    active = ", ".join(sorted(name for name, is_active in types.items() if is_active)) or "none"
    return Objection(f"an active BerichtType ({active})", seen, "BerichtInformatie/BerichtType")


def _has_publicatie_moment(bericht: Bericht, _batch: Batch, _known: Knowledge) -> bool:
    return bericht.publicatie_datum is not None and read_moment(bericht.publicatie_datum) is not None


@on_bericht("AANL-058", when=_has_publicatie_moment)
def publicatie_datum_has_a_zone(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """PublicatieDatum says in which zone it is."""
    moment = read_moment(bericht.publicatie_datum or "")
    return (
        Objection("a time zone: Z", str(bericht.publicatie_datum), "BerichtInformatie/PublicatieDatum")
        if moment and moment.zone is Zone.NONE
        else None
    )


@on_bericht("AANL-059", when=lambda bericht, batch, known: known.received is not None and _has_publicatie_moment(bericht, batch, known))
def publicatie_datum_is_near(bericht: Bericht, _batch: Batch, known: Knowledge) -> Objection | None:
    """PublicatieDatum is at most 13 days after the batch is offered."""
    moment, furthest = read_moment(bericht.publicatie_datum or ""), limits().date_span
    if moment and known.received and moment.at - known.received > furthest:
        return Objection(
            f"at most {furthest.days} days ahead", f"{(moment.at - known.received).days} days ahead", "BerichtInformatie/PublicatieDatum"
        )
    return None


def _has_eind_moment(bericht: Bericht, _batch: Batch, _known: Knowledge) -> bool:
    return bericht.eind_datum_handelings_termijn is not None and read_moment(bericht.eind_datum_handelings_termijn) is not None


@on_bericht("AANL-061", when=_has_eind_moment)
def eind_datum_has_a_zone(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """EindDatumHandelingsTermijn says in which zone it is."""
    text = bericht.eind_datum_handelings_termijn or ""
    moment = read_moment(text)
    return Objection("a time zone: Z", text, "BerichtInformatie/EindDatumHandelingsTermijn") if moment and moment.zone is Zone.NONE else None


@on_bericht("AANL-062", when=_has_eind_moment)
def eind_datum_is_after_publication(bericht: Bericht, batch: Batch, _known: Knowledge) -> Objection | None:
    """A citizen cannot act before the letter is there."""
    end, start = read_moment(bericht.eind_datum_handelings_termijn or ""), read_moment(bericht.publicatie_datum or batch.aanmaak_datum)
    if end and start and end.at < start.at:
        return Objection("a moment after publication", "a moment before publication", "BerichtInformatie/EindDatumHandelingsTermijn")
    return None


@on_bericht("AANL-064", when=lambda bericht, _batch, _known: bool(bericht.onderwerp))
def onderwerp_is_not_blank(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """The Onderwerp says something."""
    return None if bericht.onderwerp.strip() else Objection("a subject that can be read", "blanks only", "BerichtInformatie/Onderwerp")


def _has_text(bericht: Bericht, _batch: Batch, _known: Knowledge) -> bool:
    return bool(bericht.bericht_tekst)


@on_bericht("AANL-069", when=_has_text)
def line_breaks_are_written(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    r"""A line break is the four characters \r\n; a real one is valid XML, and is not shown."""
    text = bericht.bericht_tekst or ""
    count = sum(map(text.count, _LINE_BREAKS))
    return Objection("line breaks as the four characters \\r\\n", f"{count} real line breaks", "BerichtInformatie/BerichtTekst") if count else None


def _has_url(bericht: Bericht, _batch: Batch, _known: Knowledge) -> bool:
    text = bericht.bericht_tekst or ""
    return "://" in text and _URL.search(text) is not None


@on_bericht("AANL-071", when=_has_url)
def url_stands_free(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """A URL has a space before and after, and no punctuation stuck to it; begin, end and line breaks count as a space."""
    text = (bericht.bericht_tekst or "").replace(_WRITTEN_BREAK, " ")
    for found in _URL.finditer(text):
        before = text[found.start() - 1] if found.start() else " "
        if not before.isspace() or found[0][-1] in ".,;:!?)\"'":
            seen = f"a URL with {before!r} before it and {found[0][-1]!r} at its end"
            return Objection("a space before and after a URL", seen, "BerichtInformatie/BerichtTekst")
    return None


@on_bericht("AANL-072", when=_has_text)
def text_has_no_markup(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """The text is plain: markup would be shown as characters."""
    text = bericht.bericht_tekst or ""
    found = _MARKUP.search(text) if "<" in text or "&" in text else None
    return Objection("plain text", f"markup such as {found[0][:3]}…", "BerichtInformatie/BerichtTekst") if found else None


@on_bericht("AANL-075")
def gebruiker_id_is_nine_digits(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """GebruikerID is a BSN: nine digits, as text, the leading zero kept."""
    if is_bsn_shaped(bericht.gebruiker_id):
        return None
    kind = "digits" if bericht.gebruiker_id.isascii() and bericht.gebruiker_id.isdigit() else "characters that are not all digits"
    return Objection("9 digits", f"{len(bericht.gebruiker_id)} {kind}", "BerichtInformatie/GebruikerID")


@on_bericht("AANL-076", when=lambda bericht, _batch, _known: is_bsn_shaped(bericht.gebruiker_id))
def gebruiker_id_passes_the_elfproef(bericht: Bericht, _batch: Batch, _known: Knowledge) -> Objection | None:
    """GebruikerID is a number that can be a BSN."""
    return (
        None
        if passes_elfproef(bericht.gebruiker_id)
        else Objection("a BSN that passes the elfproef", "one that does not", "BerichtInformatie/GebruikerID")
    )
