"""Rules over a verwerkingsbericht: what Logius owes the Afnemer."""

from collections.abc import Iterator
from typing import Final

from conformance.limits import limits
from conformance.messages.batch import NS_BATCH
from conformance.messages.guard import SchemaError, etree, local_name
from conformance.messages.identities import is_nil, is_oin
from conformance.messages.moments import Zone, read_moment
from conformance.messages.verwerkingsbericht import NS_RESULT, Stadium, Verwerkingsbericht, VerwerkingsCode, processing_time_s
from conformance.rules.findings import Finding, Knowledge, Objection
from conformance.rules.registry import on_result

FORM_REQUIREMENTS: Final = frozenset({"VERW-050", "VERW-051", "VERW-052", "VERW-054"})


def root_finding(root: etree._Element) -> Finding | None:
    """Return the finding for a root other than BerichtVerwerkResponse in namespace V, or ``None``."""
    if root.tag == f"{{{NS_BATCH}}}BerichtVerwerkResponse":
        return None
    return Finding("VERW-051", local_name(root), f"root BerichtVerwerkResponse in namespace {NS_BATCH}", f"root {root.tag}")


def schema_findings(errors: tuple[SchemaError, ...]) -> Iterator[Finding]:
    """Yield one finding for each place and requirement that the schema complains about."""
    given: set[tuple[str, str]] = set()
    for error in errors:
        requirement = _requirement_of(error)
        if (error.path, requirement) not in given:
            given.add((error.path, requirement))
            yield Finding(requirement, error.path, "what the schema says", error.text)


def _requirement_of(error: SchemaError) -> str:
    if error.element == "VerwerkingsCode" and error.is_about_value:
        return "VERW-054"
    if error.kind.endswith("ELEMENT_CONTENT") and not error.is_missing_child and _is_misqualified(error):
        return "VERW-052"
    return "VERW-050"


def _is_misqualified(error: SchemaError) -> bool:
    expected = NS_RESULT if error.element == "Bericht" else ""
    return error.namespace != expected


@on_result("VERW-053", when=lambda _result, known: known.request is not None)
def batch_id_is_echoed(result: Verwerkingsbericht, known: Knowledge) -> Objection | None:
    """The BatchID comes back verbatim."""
    expected = known.request[0] if known.request else ""
    return None if result.batch_id == expected else Objection(f"BatchID {expected}", result.batch_id)


@on_result("VERW-055")
def counters_fit_the_total(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """No counter is negative, and together they are at most the total."""
    if min(*result.counters, result.totaal) < 0:
        return Objection("counters of 0 and more", "a negative counter")
    together = sum(result.counters)
    return Objection(f"counters that add up to at most {result.totaal}", str(together)) if together > result.totaal else None


def _lists_every_bericht(result: Verwerkingsbericht, _known: Knowledge) -> bool:
    return result.totaal == len(result.resultaten)


@on_result("VERW-056", when=_lists_every_bericht)
def success_is_counted(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """AantalBerichtenSuccesvolVerwerkt counts the berichten with Verwerkt."""
    listed = sum(item.code is VerwerkingsCode.VERWERKT for item in result.resultaten)
    counted = result.counter("AantalBerichtenSuccesvolVerwerkt")
    return None if listed == counted else Objection(f"{listed}, as listed", str(counted))


def _can_be_timed(result: Verwerkingsbericht, _known: Knowledge) -> bool:
    return processing_time_s(result) is not None


@on_result("VERW-057", when=_can_be_timed)
def processing_takes_a_day_at_most(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """A bericht is processed within 24 hours."""
    took, most = processing_time_s(result) or 0.0, limits().result_within.total_seconds()
    return Objection(f"at most {most / 3600:g} hours", f"{took / 3600:.1f} hours") if took > most else None


@on_result("VERW-058", when=_can_be_timed)
def processing_follows_receipt(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """DatumVerwerkt is not before DatumOntvangen."""
    took = processing_time_s(result) or 0.0
    return Objection("DatumVerwerkt after DatumOntvangen", f"{-took:.0f} seconds before it") if took < 0 else None


@on_result("VERW-059", when=_can_be_timed)
def dates_are_zulu(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """Both dates are written in Zulu time."""
    for text in (result.ontvangen, result.verwerkt):
        moment = read_moment(text)
        if moment and moment.zone is not Zone.ZULU:
            return Objection("Zulu time, ending in Z", text)
    return None


@on_result("VERW-060", when=lambda result, _known: bool(result.resultaten))
def bericht_ids_differ(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """A BerichtID stands in a result once, the nil GUID excepted."""
    ids = [item.bericht_id.lower() for item in result.resultaten if not is_nil(item.bericht_id)]
    doubled = len(ids) - len(set(ids))
    return Objection("each BerichtID once", f"{doubled} that stand there again") if doubled else None


@on_result("VERW-061")
def leverancier_is_an_oin(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """BerichtLeverancierCode is the OIN again."""
    return None if is_oin(result.leverancier_code) else Objection("an OIN of 20 digits", f"{len(result.leverancier_code)} characters")


@on_result(
    "VERW-062", when=lambda result, _known: any(item.code is VerwerkingsCode.VERWERKT and item.stadium is not None for item in result.resultaten)
)
def success_has_no_stadium(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """Verwerkt goes with Stadium NA."""
    strange = next(
        (item.stadium for item in result.resultaten if item.code is VerwerkingsCode.VERWERKT and item.stadium not in (None, Stadium.NA)), None
    )
    return Objection("Stadium NA for Verwerkt", f"Stadium {strange}") if strange is not None else None


@on_result("VERW-063", when=lambda result, _known: any(item.stadium is not None for item in result.resultaten))
def stadium_is_known(result: Verwerkingsbericht, _known: Knowledge) -> Objection | None:
    """Stadium has one of the four values that were seen; the schema takes any."""
    strange = next((item.stadium for item in result.resultaten if item.stadium is not None and item.stadium not in list(Stadium)), None)
    return Objection(f"one of {', '.join(Stadium)}", strange or "an empty text") if strange is not None else None


@on_result("VERW-064", when=lambda result, known: known.request is not None and bool(result.resultaten))
def berichten_belong_to_the_batch(result: Verwerkingsbericht, known: Knowledge) -> Objection | None:
    """The berichten of a result are those of the batch that it answers, the nil GUID excepted."""
    offered = known.request[1] if known.request else frozenset()
    strange = [item for item in result.resultaten if not is_nil(item.bericht_id) and item.bericht_id.lower() not in offered]
    return Objection("BerichtIDs of the batch", f"{len(strange)} of another") if strange else None
