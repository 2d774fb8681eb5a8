"""Tests of report.html: self-contained, readable by everyone, and true to the verdict."""

import base64
import copy
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from conformance.report.html import render
from conformance.report.json_report import document
from conformance.report.model import KnownFailure, grade
from conformance.verdicts import Verdict

VOID = {"meta", "rect", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Collects tags, and checks that they close in order."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.ids, self.hrefs, self.text = [], [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        self.hrefs += [found["href"]] if "href" in found else []
        if tag not in VOID or (tag == "rect" and not self.get_starttag_text().endswith("/>")):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def doc(everything):
    """Return the document of a run in which every verdict occurs."""
    return document(*everything)


@pytest.mark.golden
@pytest.mark.parametrize("lang", ["nl", "en"])
def test_page_is_as_stored(doc, golden, lang):
    """
    The whole page is what it was, in both languages.
    """
    golden(f"report.{lang}.html", render(doc, lang))


def test_dutch_is_the_default(doc):
    """
    Who chooses nothing reads Dutch.
    """
    assert render(doc) == render(doc, "nl")
    assert b'<html lang="nl">' in render(doc)


def test_other_language_is_refused(doc):
    """
    There are two languages.
    """
    with pytest.raises(KeyError, match="fy"):
        render(doc, "fy")


@pytest.mark.attack
def test_page_loads_and_runs_nothing(doc):
    """
    No script, no image, no address outside of the directory; the policy allows the one style sheet by its hash.
    """
    page = Page(text := render(doc).decode())
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert not {"script", "img", "link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") or name in {"style", "src"} for _, attributes in page.tags for name in attributes)
    assert all(re.match(r"#|evidence/", href) for href in page.hrefs)
    assert "url(" not in style
    assert f"style-src 'sha256-{digest}'" in text


@pytest.mark.attack
def test_what_an_afnemer_wrote_is_text(doc):
    """
    Markup in a quote, a name or a message is shown and not obeyed, and unprintable characters are gone.
    """
    hostile = copy.deepcopy(doc)
    hostile["profile"]["afnemer"]["name"] = "<script>alert(1)</script>\x00"
    for item in hostile["requirements"]:
        item["advice"]["nl"] = "`<script>`"
        for case in item["cases"]:
            case["seen"] = case["message"] = "</pre><script>`a`\ud800</script>"

    page = render(hostile)

    assert b"<script" not in page
    assert b"&lt;/pre&gt;&lt;script&gt;" in page
    assert b"<code>&lt;script&gt;</code>" in page
    assert b"\x00" not in page


def test_page_is_accessible(doc):
    """
    One first heading, no skipped level, a label on every picture, and scopes on every table header.
    """
    page = Page(render(doc).decode())
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]

    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag == "svg")


def test_links_inside_the_page_lead_somewhere(doc):
    """
    Every requirement has one anchor, and every link inside the page finds its anchor.
    """
    page = Page(render(doc).decode())

    assert len(page.ids) == len(set(page.ids))
    assert {href[1:] for href in page.hrefs if href.startswith("#")} <= set(page.ids)
    assert {item["id"] for item in doc["requirements"]} <= set(page.ids)


def test_colours_have_enough_contrast(doc):
    """
    White on each verdict colour, and each text colour on white, reaches 4.5 to 1 (WCAG 2.1 AA).
    """
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", render(doc).decode()))

    assert {str(verdict) for verdict in Verdict} <= set(colours)
    assert {name for name in (*Verdict, "ink", "soft", "brand", "link") if 1.05 / (_luminance(colours[name]) + 0.05) < 4.5} == set()


def _luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_failure_shows_all_that_an_engineer_needs(doc):
    """
    Clause, expected, seen, evidence, both readings and the command stand in the block of a failure.
    """
    block = re.search(r'<article id="AANL-035".*?</article>', render(doc, "en").decode(), re.DOTALL)[0]

    for needle in (
        "SNO 2023, 2.2.1",
        "bevestigd: an official file",
        "hoogstens 13 dagen",
        "&lt;AanmaakDatum&gt;2026-11-10",
        'href="evidence/aanleveren-oud-01.xml"',
        "XSD: vanaf de aanleverdatum",
        "<code>AanmaakDatum</code>",
        "berichtenbox certify --only AANL-035",
    ):
        assert needle in block


def test_most_urgent_comes_first(doc):
    """
    Our own crash, then failures, then what is open, then warnings.
    """
    todo = re.search(r'<ol class="todo">.*?</ol>', render(doc).decode(), re.DOTALL)[0]

    assert re.findall(r'href="#([A-Z]+-[0-9]+)"', todo) == [
        "AANL-080", "AANL-035", "AANL-075", "HERL-001", "VERW-001", "VERW-037", "AANL-036",
    ]  # fmt: skip


def page_text(report, catalogue, lang="nl"):
    """Return the visible words of a report."""
    return " ".join(" ".join(Page(render(document(report, catalogue), lang).decode()).text).split())


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ((Verdict.PASSED, Verdict.PASSED), "voldoet aan alle 2 verplichte eisen die van toepassing zijn"),
        ((Verdict.PASSED, Verdict.FAILED), "voldoet niet: aan 1 van de 2 verplichte eisen is niet voldaan"),
        ((Verdict.PASSED, Verdict.NOT_TESTED), "nog geen oordeel over Gemeente Voorbeeld: ongetest bleven 1 van de 2 verplichte eisen"),
        ((Verdict.NOT_TESTED, Verdict.NOT_TESTED), "geen enkele eis is met goed gevolg getest"),
        ((Verdict.PASSED, Verdict.KIT_ERROR), "de kit zelf liep vast. Dat ligt niet aan de Afnemer."),
    ],
)
def test_verdict_is_one_true_sentence(make, verdicts, sentence):
    """
    The manager reads in one sentence what the run came to.
    """
    catalogue = make.catalogue(make.requirement("AANL-001"), make.requirement("AANL-002"))
    results = [make.result(f"AANL-00{place}", verdict) for place, verdict in enumerate(verdicts, 1)]

    assert sentence in page_text(grade(make.run(*results), catalogue, ["aanleveren"]), catalogue)


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [(Verdict.FAILED, "op 1 bekende afwijking(en) na"), (Verdict.PASSED, "de lijst met bekende afwijkingen klopt niet meer")],
)
def test_known_failures_are_in_the_sentence(make, verdict, sentence):
    """
    A green run with known failures does not look like one without.
    """
    catalogue = make.catalogue(make.requirement("AANL-001"), make.requirement("AANL-002"))
    run = make.run(make.result("AANL-001"), make.result("AANL-002", verdict))
    known = [KnownFailure("AANL-002", "Reden.", "Eigenaar", run.finished.date())]

    text = page_text(grade(run, catalogue, ["aanleveren"], known_failures=known), catalogue)

    assert sentence in text


def test_partial_run_says_so_on_top(make):
    """
    A selection is announced before the verdict.
    """
    catalogue = make.catalogue(make.requirement("AANL-001"))
    run = make.run(make.result("AANL-001"), selection=("AANL-001",), profile={})

    text = page_text(grade(run, catalogue, ["aanleveren"]), catalogue, "en")

    assert "Conformant (selected requirements only)" in text
    assert text.index("Partial run") < text.index("The connection of the Afnemer meets all 1")


def test_nothing_to_do_is_said(conformant):
    """
    A certification without findings says that it is one, and what to do with the report.
    """
    text = page_text(*conformant)

    assert "Certificeringsrun" in text
    assert "Er is niets te doen" in text


def test_long_list_is_cut(make):
    """
    Ten things come first; the rest is counted.
    """
    catalogue = make.catalogue(*(make.requirement(f"AANL-{n:03}") for n in range(1, 14)))

    assert "En nog 3 in de lijst per eis." in page_text(grade(make.run(), catalogue, ["aanleveren"]), catalogue)


def test_finding_without_advice_shows_its_message(make):
    """
    A warning without advice explains itself by what the case said.
    """
    catalogue = make.catalogue(make.requirement("AANL-001", advice_nl="", title_nl="Eis met één ` teken."))
    run = make.run(make.result("AANL-001", Verdict.WARNING, message="Iets te groot."))

    todo = re.search(r'<ol class="todo">.*?</ol>', render(document(grade(run, catalogue, ["aanleveren"]), catalogue)).decode(), re.DOTALL)[0]

    assert '<p class="why">Iets te groot.</p>' in todo
    assert "Eis met één ` teken." in todo
