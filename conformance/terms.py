"""The words that a requirement and a norm are described with: closed lists, which the catalogue and the norms share."""

from enum import StrEnum


class Level(StrEnum):
    """How strong a requirement is."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Binds(StrEnum):
    """Who is bound by a requirement."""

    AFNEMER = "afnemer"
    LOGIUS = "logius"
    BOTH = "both"


class Certainty(StrEnum):
    """How sure a requirement is; a failed ``aanname`` is never more than a warning."""

    BEVESTIGD = "bevestigd"
    GEMELD = "gemeld"
    AANNAME = "aanname"


class DecidedBy(StrEnum):
    """What kind of thing decides a requirement."""

    RULE = "rule"
    CASE = "case"
    DECLARED = "declared"
    LOAD = "load"  # `berichtenbox load NAME`
    CALCULATOR = "calculator"  # `berichtenbox sno NAME`, over data that people have
    REQUIREMENTS = "requirements"  # the requirements that it is made of


class Lang(StrEnum):
    """The languages of titles and advice."""

    NL = "nl"
    EN = "en"
