"""What the profiles that grade an Afnemer say of a norm that was missed: what came wrong is wrong, what is late may be our fault."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from conformance.load.judging import BUSY, About, Outcome


def full(busy: Mapping[str, float]) -> str:
    """Return which of our own parties kept a processor full, empty for none; ``busy`` holds the share of one that each used."""
    return next((name for name, share in busy.items() if share >= BUSY), "")


def missed(about: About, wrong: Sequence[str], late: Sequence[str], times: int, busy: Mapping[str, float]) -> Outcome:
    """Return that a norm was missed: for what is ``wrong``, which no slowness of ours explains, and for what is ``late``."""
    text, name = f"{'; '.join([*wrong, *late])}.", full(busy)
    limit = f"the processor of {name} was full" if name and not wrong else ""
    return replace(about.missed(text[:1].upper() + text[1:], times, is_certain=bool(wrong)), limit=limit)
