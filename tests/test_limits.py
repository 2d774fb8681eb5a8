"""The numbers of the koppelvlak."""

from dataclasses import FrozenInstanceError, fields
from datetime import timedelta

import pytest

from conformance import specs
from conformance.limits import Limits, LimitsError, limits, load
from conformance.norms import duration

SHIPPED = specs.path("limits.toml").read_text(encoding="utf-8")


@pytest.fixture
def read(tmp_path):
    """Read a limits file with this text."""

    def _read(text):
        file = tmp_path / "limits.toml"
        file.write_text(text, encoding="utf-8")
        return load(file)

    return _read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("berichten_per_batch_min", 1),
        ("berichten_per_batch_max", 1000),
        ("batch_bytes_max", 100_000_000),
        ("batch_bytes_note", 20 * 1024 * 1024),
        ("leverancier_max", 25),
        ("oin_digits", 20),
        ("bericht_type_max", 8),
        ("onderwerp_max", 50),
        ("berichttekst_max", 4000),
        ("referentie_max", 25),
        ("bsn_digits", 9),
        ("bijlagen_max", 2),
        ("bijlagen_bytes_accepted", 500_000),
        ("bijlagen_bytes_refused_above", 512_000),
        ("omschrijving_max", 128),
        ("omschrijving_advice", 40),
        ("date_span", timedelta(days=13)),
        ("clock_slack", timedelta(minutes=5)),
        ("result_within", timedelta(hours=24)),
        ("reoffer_window", timedelta(hours=144)),
        ("reoffer_interval", timedelta(hours=24)),
        ("herlevering_window", timedelta(hours=24)),
        ("herlevering_advice", timedelta(days=6)),
        ("offers_max", 10),
        ("abonnement_within", timedelta(hours=4)),
        ("abonnement_alles_per_night", 225),
        ("abonnement_lijst_per_night", 150),
        ("abonnement_mutaties_per_night", 150),
        ("abonnement_bsns_max", 1_000_000),
        ("night_from", 23),
        ("night_until", 7),
        ("abonnement_check_max_age", timedelta(days=7)),
        ("validatie_klanten_max", 250),
        ("validatie_per_hour", 1000),
        ("validatie_within", timedelta(seconds=30)),
    ],
)
def test_number_is_that_of_the_koppelvlak(name, value):
    """Each number is the one of the XSD, the handleiding, the SNO or our stated reading."""
    assert getattr(limits(), name) == value


def test_limits_are_read_once_and_cannot_change():
    """Everybody shares one frozen value."""
    one = limits()

    assert one is limits()
    with pytest.raises(FrozenInstanceError, match="onderwerp_max"):
        one.onderwerp_max = 51


def test_every_number_is_in_the_file_once():
    """The file and the dataclass name the same limits."""
    names = [line.strip("[]") for line in SHIPPED.splitlines() if line.startswith("[")]

    assert sorted(names) == sorted(field.name for field in fields(Limits))


def test_shipped_file_reads_from_any_place(read):
    """The shipped text gives the shipped limits."""
    assert read(SHIPPED) == limits()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[onderwerp_max]", "[onderwerp]", r"\[onderwerp\]: is not a limit that the kit knows"),
        ("value = 50\n", "", r"\[onderwerp_max\]: lacks the key 'value'"),
        ("value = 50\n", 'value = 50\nkleur = "rood"\n', r"\[onderwerp_max\]: has the unknown key 'kleur'"),
        ("value = 50\n", "value = 0\n", r"\[onderwerp_max\]: value must be a whole number of at least 1, not 0"),
        ("value = 50\n", "value = true\n", r"\[onderwerp_max\]: value must be a whole number of at least 1, not True"),
        ('value = 50\nunit = "characters"', 'value = 50\nunit = "el"', r"\[onderwerp_max\]: unit must be one of .*, not 'el'"),
        ('value = 50\nunit = "characters"', 'value = 50\nunit = "days"', r"\[onderwerp_max\]: its unit gives timedelta"),
        ('source = "XSD berichten, Onderwerp"', 'source = " "', r"\[onderwerp_max\]: source must be a text"),
        ('source = "XSD berichten, Onderwerp"', "source = 3", r"\[onderwerp_max\]: source must be a text"),
        (
            'source = "XSD berichten, Onderwerp"\ncertainty = "bevestigd"',
            'source = "XSD berichten, Onderwerp"\ncertainty = "zeker"',
            r"\[onderwerp_max\]: certainty must be one of aanname, bevestigd, gemeld",
        ),
        ('norm = "SNO-AFN-01"', 'norm = "SNO-AFN-09"', r"\[herlevering_window\]: 'SNO-AFN-09' is not in specs/sno/; near it: SNO-AFN-0"),
        ('norm = "SNO-AFN-01"\nnumber = "term"', 'norm = "SNO-AFN-01"\nnumber = "tijd"', r"'SNO-AFN-01 tijd' is not .* SNO-AFN-01 term"),
        ('norm = "SNO-AFN-01"\nnumber = "term"', 'norm = "SNO-AFN-01"', r"\[herlevering_window\]: lacks the key 'number'"),
        ('norm = "SNO-AFN-01"', 'norm = "SNO-AFN-01"\nvalue = 24', r"\[herlevering_window\]: has the unknown key 'value'"),
        ('norm = "SNO-AFN-01"', 'norm = "SNO-AFN-01"\ncertainty = "zeker"', r"\[herlevering_window\]: certainty must be one of"),
        ('norm = "SNO-AFN-01"', 'norm = "SNO-VRG-01"', r"SNO-VRG-01 term is 2 werkdagen: no whole number, or one that a calendar counts"),
        ('norm = "SNO-AFN-01"\nnumber = "term"', 'norm = "SNO-PRE-01"\nnumber = "share"', r"SNO-PRE-01 share is 99\.9 %: no whole number"),
    ],
)
def test_malformed_limit_is_refused(read, old, new, problem):
    """A limit that is unknown, incomplete or without provenance is refused by name."""
    assert old in SHIPPED

    with pytest.raises(LimitsError, match=problem):
        read(SHIPPED.replace(old, new))


def test_number_of_the_sno_is_typed_nowhere_else(read):
    """A limit with a norm takes its value from there: another norm gives another limit."""
    other = read(SHIPPED.replace('norm = "SNO-AFN-01"', 'norm = "SNO-INC-01"'))

    assert other.herlevering_window == duration("SNO-INC-01", "term")
    assert limits().herlevering_window == duration("SNO-AFN-01", "term")


def test_limit_that_is_no_table_is_refused(read):
    """A bare number has no source and is refused."""
    start = SHIPPED.index("[onderwerp_max]")
    end = SHIPPED.index("[", start + 1)

    with pytest.raises(LimitsError, match=r"\[onderwerp_max\]: must be a table"):
        read("onderwerp_max = 50\n" + SHIPPED[:start] + SHIPPED[end:])


def test_missing_limit_is_refused(read):
    """A file without one of the limits is refused."""
    start = SHIPPED.index("[onderwerp_max]")
    end = SHIPPED.index("[", start + 1)

    with pytest.raises(LimitsError, match=r"\[onderwerp_max\]: is missing"):
        read(SHIPPED[:start] + SHIPPED[end:])


def test_file_that_is_no_toml_or_not_there_is_refused(read, tmp_path):
    """A broken or absent file is named in the error."""
    with pytest.raises(LimitsError, match=r"limits\.toml: cannot be read"):
        read("[[[")
    with pytest.raises(LimitsError, match=r"weg\.toml: cannot be read") as caught:
        load(tmp_path / "weg.toml")

    assert (caught.value.file, caught.value.name) == ("weg.toml", "")
