"""Afnemers that write a batch wrongly: its form, its ids, its dates, its text, its bijlagen."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from conformance.afnemer.defects.registry import changes_batch, changes_bericht, changes_document
from conformance.messages.batch import Batch, Bericht, Bijlage
from conformance.messages.identities import LOGIUS_TEST_OIN, NIL_GUID, PARTY_PREFIX
from conformance.messages.moments import read_moment, write_moment

_ONE_GUID: Final = "11111111-2222-4333-8444-555555555555"
_SOME: Final = 3  # defects that spoil ids strike only batches of this size, so that other cases can go on


def _batch_id(change: Callable[[str], str]) -> Callable[[Batch], Batch]:
    def changed(batch: Batch) -> Batch:
        new = change(batch.batch_id)
        return replace(batch, batch_id=new, berichten=tuple(replace(bericht, batch_id=new) for bericht in batch.berichten))

    return changed


def _aanmaak(change: Callable[[str], str]) -> Callable[[Batch], Batch]:
    return lambda batch: replace(batch, aanmaak_datum=change(batch.aanmaak_datum))


def _leverancier(change: Callable[[str], str]) -> Callable[[Batch], Batch]:
    return lambda batch: replace(batch, bericht_leverancier_id=change(batch.bericht_leverancier_id))


def _moved(text: str, **by: float) -> str:
    moment = read_moment(text)
    return text if moment is None else write_moment(moment.at + timedelta(**by))


def _bijlagen(change: Callable[[Bijlage], Bijlage]) -> Callable[[Bericht], Bericht]:
    return lambda bericht: replace(bericht, bijlagen=tuple(change(bijlage) for bijlage in bericht.bijlagen))


def _octets(change: Callable[[bytes], bytes]) -> Callable[[Bericht], Bericht]:
    return _bijlagen(lambda bijlage: Bijlage.from_octets(change(bijlage.octets()), bijlage.omschrijving, int(bijlage.volgorde)))


def _publicatie(change: Callable[[str], str]) -> Callable[[Bericht], Bericht]:
    return lambda bericht: bericht if bericht.publicatie_datum is None else replace(bericht, publicatie_datum=change(bericht.publicatie_datum))


# -- form ------------------------------------------------------------------------------------------------------------------------------------

changes_document(
    "fills_a_template_without_escaping",
    "Writes & as it is, as a string template does.",
    "AANL-020",
    lambda document: document.replace(b"&amp;", b"&"),
    pitfall=30,
)
changes_document(
    "starts_with_a_doctype", "Puts a DOCTYPE on top.", "AANL-021", lambda document: document.replace(b"?>", b"?><!DOCTYPE Berichten>", 1)
)
changes_document(
    "puts_the_root_in_another_namespace",
    "Gives Berichten the namespace of an older version.",
    "AANL-022",
    lambda document: document.replace(b"BerichtVerwerkService/Types/2009/01", b"BerichtVerwerkService/Types/2008/01"),
)
changes_document(
    "puts_bericht_in_the_namespace_of_the_batch",
    "Gives everything one namespace.",
    "AANL-023",
    lambda document: document.replace(b"<b:", b"<v:").replace(b"</b:", b"</v:"),
)
changes_document(
    "leaves_children_unqualified",
    "Writes the children of Bericht without a namespace, as a response has them.",
    "AANL-023",
    lambda document: document.replace(b"<b:Onderwerp", b"<Onderwerp").replace(b"</b:Onderwerp", b"</Onderwerp"),
)
changes_document(
    "leaves_out_soort_gebruiker",
    "Forgets a required element.",
    "AANL-024",
    lambda document: document.replace(b"<b:SoortGebruiker>Burger</b:SoortGebruiker>", b""),
)
changes_document(
    "adds_an_attribute",
    "Puts a lang attribute on Onderwerp.",
    "AANL-025",
    lambda document: document.replace(b"<b:Onderwerp>", b'<b:Onderwerp lang="nl">'),
)
changes_document(
    "writes_an_empty_bijlagen",
    "Writes <Bijlagen/> when there are none.",
    "AANL-080",
    lambda document: document.replace(b"</b:BerichtInformatie></b:Bericht>", b"</b:BerichtInformatie><b:Bijlagen/></b:Bericht>"),
    pitfall=29,
)
changes_document(
    "writes_an_empty_publicatie_datum",
    "Writes <PublicatieDatum/> for at once.",
    "AANL-057",
    lambda document: document if b"PublicatieDatum" in document else document.replace(b"<b:Onderwerp>", b"<b:PublicatieDatum/><b:Onderwerp>"),
    pitfall=29,
)

# -- the batch -------------------------------------------------------------------------------------------------------------------------------

changes_batch("writes_the_batch_id_in_braces", "Writes a GUID as {…}.", "AANL-030", _batch_id(lambda guid: f"{{{guid}}}"))
changes_batch("uses_the_nil_batch_id", "Has no BatchID.", "AANL-031", _batch_id(lambda _guid: NIL_GUID), also="AANL-032 VERW-011 AFW-019 HERL-012")
changes_batch(
    "uses_one_batch_id_for_all", "Never makes a new BatchID.", "AANL-032", _batch_id(lambda _guid: _ONE_GUID), also="VERW-011 AFW-019 HERL-012"
)
changes_batch("writes_time_without_zone", "Leaves the zone out of AanmaakDatum.", "AANL-033", _aanmaak(lambda text: text.rstrip("Z")), pitfall=32)
changes_batch("writes_an_offset", "Writes +00:00 for Z.", "AANL-034", _aanmaak(lambda text: text.replace("Z", "+00:00")))
changes_batch("dates_batches_two_weeks_back", "Uses the date of the letter.", "AANL-035", _aanmaak(lambda text: _moved(text, days=-14)), pitfall=31)
changes_batch("dates_batches_tomorrow", "Runs a day ahead.", "AANL-036", _aanmaak(lambda text: _moved(text, days=1)))
changes_batch("loses_the_zeros_of_the_oin", "Keeps the OIN as a number.", "AANL-037", _leverancier(lambda oin: str(int(oin))), pitfall=24)
changes_batch("puts_a_prefix_on_the_oin", "Writes the party id for the OIN.", "AANL-038", _leverancier(lambda oin: PARTY_PREFIX + oin), pitfall=22)
changes_batch(
    "writes_the_oin_of_someone_else", "Writes the OIN of the intermediair.", "AANL-039", _leverancier(lambda _oin: LOGIUS_TEST_OIN), pitfall=23
)
changes_batch(
    "writes_an_oin_that_cannot_be",
    "Writes an OIN with an unknown prefix.",
    "AANL-040",
    _leverancier(lambda oin: "00000077" + oin[8:]),
    also="AANL-039",
)
changes_batch(
    "repeats_a_bericht_id_in_a_batch",
    "Gives the second bericht the id of the first.",
    "AANL-053",
    lambda batch: (
        replace(batch, berichten=(batch.berichten[0], replace(batch.berichten[1], bericht_id=batch.berichten[0].bericht_id), *batch.berichten[2:]))
        if len(batch.berichten) == _SOME
        else batch
    ),
    also="AANL-015 AANL-054",
)
changes_batch(
    "uses_a_bericht_id_for_many_letters",
    "Takes BerichtIDs from a list that is too short.",
    "AANL-054",
    lambda batch: (
        replace(batch, berichten=(replace(batch.berichten[0], bericht_id=_ONE_GUID), *batch.berichten[1:]))
        if len(batch.berichten) == _SOME
        else batch
    ),
    also="AANL-015",
)
changes_batch(
    "uses_the_nil_bericht_id",
    "Has no BerichtID for the first letter.",
    "AANL-052",
    lambda batch: (
        replace(batch, berichten=(replace(batch.berichten[0], bericht_id=NIL_GUID), *batch.berichten[1:])) if len(batch.berichten) == _SOME else batch
    ),
    also="AANL-015 AANL-054",
)
changes_batch(
    "sends_to_the_neighbour",
    "Swaps two citizens.",
    "AANL-077",
    lambda batch: (
        replace(
            batch,
            berichten=(
                replace(batch.berichten[0], gebruiker_id=batch.berichten[1].gebruiker_id),
                replace(batch.berichten[1], gebruiker_id=batch.berichten[0].gebruiker_id),
                *batch.berichten[2:],
            ),
        )
        if len(batch.berichten) == _SOME
        else batch
    ),
    also="AANL-054",
)

# -- the bericht -----------------------------------------------------------------------------------------------------------------------------

changes_bericht(
    "fills_the_batch_id_with_the_bericht_id",
    "Repeats the wrong id.",
    "AANL-050",
    lambda bericht: replace(bericht, batch_id=bericht.bericht_id),
    pitfall=1,
)
changes_bericht(
    "writes_the_bericht_id_in_braces", "Writes a GUID as {…}.", "AANL-051", lambda bericht: replace(bericht, bericht_id=f"{{{bericht.bericht_id}}}")
)
changes_bericht(
    "writes_a_long_bericht_type",
    "Writes the name for the code.",
    "AANL-055",
    lambda bericht: replace(bericht, bericht_type="BELASTINGEN"),
    also="AANL-056",
)
changes_bericht(
    "writes_the_bericht_type_in_lower_case", "Types it differently.", "AANL-056", lambda bericht: replace(bericht, bericht_type="belast"), pitfall=38
)
changes_bericht("forgets_the_zone_of_publicatie_datum", "Leaves the zone out.", "AANL-058", _publicatie(lambda text: text.rstrip("Z")))
changes_bericht("publishes_in_three_weeks", "Adds the wrong term.", "AANL-059", _publicatie(lambda text: _moved(text, days=21)), also="AANL-060")
changes_bericht("publishes_an_hour_off", "Takes summer time for winter time.", "AANL-060", _publicatie(lambda text: _moved(text, hours=1)))
changes_bericht(
    "writes_an_eind_datum_without_zone",
    "Leaves the zone out.",
    "AANL-061",
    lambda bericht: replace(bericht, eind_datum_handelings_termijn="2099-01-01T00:00:00"),
)
changes_bericht(
    "ends_before_it_begins",
    "Asks the citizen to act before the letter is there.",
    "AANL-062",
    lambda bericht: replace(bericht, eind_datum_handelings_termijn="2020-01-01T00:00:00Z"),
)
changes_bericht(
    "pads_the_onderwerp",
    "Fills Onderwerp up to a fixed width of 60.",
    "AANL-063",
    lambda bericht: replace(bericht, onderwerp=bericht.onderwerp.ljust(60)),
)
changes_bericht(
    "blanks_the_onderwerp", "Sends a subject of blanks.", "AANL-064", lambda bericht: replace(bericht, onderwerp="  "), also="AANL-066 AANL-073"
)
changes_bericht(
    "adds_a_colophon",
    "Adds a text of 4000 characters after its checks.",
    "AANL-067",
    lambda bericht: replace(bericht, bericht_tekst=(bericht.bericht_tekst or "") + "c" * 4_000),
)
changes_bericht(
    "glues_a_full_stop_to_a_url",
    "Ends the sentence right after the URL.",
    "AANL-071",
    lambda bericht: replace(bericht, bericht_tekst=(bericht.bericht_tekst or "") + " Zie https://example.nl/zaak."),
    also="AANL-070 AANL-073",
)
changes_bericht(
    "escapes_twice",
    "Escapes for HTML what the XML library escapes again.",
    "AANL-073",
    lambda bericht: replace(bericht, bericht_tekst=(bericht.bericht_tekst or "").replace("&", "&amp;")),
    also="AANL-072",
)
changes_bericht(
    "writes_markup",
    "Sends HTML.",
    "AANL-072",
    lambda bericht: replace(bericht, bericht_tekst=f"<p>{bericht.bericht_tekst}</p>"),
    also="AANL-070 AANL-073",
)
changes_bericht("writes_a_long_referentie", "Writes 26 characters.", "AANL-074", lambda bericht: replace(bericht, referentie="r" * 26))
changes_bericht(
    "writes_the_bsn_in_eight_digits",
    "Keeps the BSN as a number, and loses a digit.",
    "AANL-075",
    lambda bericht: replace(bericht, gebruiker_id=bericht.gebruiker_id[1:]),
    also="AANL-077",
    pitfall=24,
)
changes_bericht(
    "writes_a_number_that_is_no_bsn",
    "Changes a digit.",
    "AANL-076",
    lambda bericht: replace(bericht, gebruiker_id=bericht.gebruiker_id[:-1] + str((int(bericht.gebruiker_id[-1]) + 1) % 10)),
    also="AANL-077",
)
changes_bericht("writes_burger_in_lower_case", "Types it differently.", "AANL-078", lambda bericht: replace(bericht, soort_gebruiker="burger"))

# -- bijlagen --------------------------------------------------------------------------------------------------------------------------------

changes_bericht(
    "adds_a_flyer",
    "Adds a third bijlage.",
    "AANL-081",
    lambda bericht: (
        replace(bericht, bijlagen=(*bericht.bijlagen, replace(bericht.bijlagen[0], volgorde="3"))) if len(bericht.bijlagen) == 2 else bericht
    ),
    also="AANL-082 AANL-084 AANL-086",
)
changes_bericht(
    "writes_base64url",
    "Uses the base64 of URLs.",
    "AANL-085",
    _bijlagen(lambda bijlage: replace(bijlage, inhoud="-_" + bijlage.inhoud.replace("+", "-").replace("/", "_")[2:])),
    also="AANL-088 AANL-089",
)
changes_bericht("spoils_a_byte", "Reads the file as text.", "AANL-086", _octets(lambda octets: octets[:-1] + b" "))
changes_bericht("writes_pdf_in_capitals", "Types it differently.", "AANL-087", _bijlagen(lambda bijlage: replace(bijlage, bijlage_type="PDF")))
changes_bericht("sends_a_word_document", "Sends what is no PDF.", "AANL-088", _octets(lambda octets: b"PK\x03\x04 " + octets[5:]), also="AANL-086")
changes_bericht(
    "sends_a_plain_pdf", "Loses the PDF/A claim.", "AANL-089", _octets(lambda octets: octets.replace(b"pdfaid:", b"pdfaix:")), also="AANL-086"
)
changes_bericht(
    "loses_the_language", "Loses an accessibility hint.", "AANL-090", _octets(lambda octets: octets.replace(b"/Lang", b"/Tong")), also="AANL-086"
)
changes_bericht(
    "writes_a_long_omschrijving",
    "Writes 129 characters.",
    "AANL-091",
    _bijlagen(lambda bijlage: replace(bijlage, omschrijving="o" * 129)),
    also="AANL-092",
)
changes_bericht(
    "writes_a_wordy_omschrijving", "Writes 80 characters.", "AANL-092", _bijlagen(lambda bijlage: replace(bijlage, omschrijving="o" * 80))
)
changes_bericht(
    "counts_from_zero", "Starts Volgorde at 0.", "AANL-093", _bijlagen(lambda bijlage: replace(bijlage, volgorde=str(int(bijlage.volgorde) - 1)))
)
