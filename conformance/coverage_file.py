"""Which rule, case or declaration decides each requirement, and which defect proves it: the text of ``specs/requirements/COVERAGE.md``.

Pure functions. Who collects the rules, the marks of the cases and the defects calls them; nothing here imports a rule or a case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.catalogue import Catalogue, DecidedBy, Requirement, catalogue

_NAMES = Mapping[str, Sequence[str]]
_HEAD = """\
<!-- Generated: do not edit. A test says when this file is stale. -->
# Coverage of the requirements

Each requirement, what decides it, and the deliberate defects that fail it.

| id | level | certainty | decider(s) | defect(s) |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What keeps the catalogue and the kit apart; true when there is anything.

    ``dangling`` are ids that a decider or a defect names and the catalogue does not hold. ``undecided`` are ids without rule, case or declaration,
    that give no reason for it either. Both are sorted.
    """

    dangling: tuple[str, ...]
    undecided: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.dangling or self.undecided)


def gaps(deciders: _NAMES, defects: _NAMES | None = None, held: Catalogue | None = None) -> Gaps:
    """Compare deciders and defects (names by requirement id) with the catalogue that is held, by default the kit's own."""
    held = catalogue() if held is None else held
    named = deciders.keys() | (defects or {}).keys()
    undecided = (r.id for r in held.values() if not _decided(r, deciders) and r.undecided_reason is None)
    return Gaps(dangling=tuple(sorted(named - held.keys())), undecided=tuple(undecided))


def render(deciders: _NAMES, defects: _NAMES | None = None, held: Catalogue | None = None) -> str:
    """Return the Markdown table, a line a requirement in catalogue order; the same input gives the same bytes."""
    held = catalogue() if held is None else held
    return _HEAD + "".join(_row(r, deciders, defects or {}) for r in held.values())


def _decided(requirement: Requirement, deciders: _NAMES) -> bool:
    return requirement.decided_by is DecidedBy.DECLARED or bool(deciders.get(requirement.id))


def _row(requirement: Requirement, deciders: _NAMES, defects: _NAMES) -> str:
    decider = _cell(deciders.get(requirement.id, ())) or _without_decider(requirement)
    defect = _cell(defects.get(requirement.id, ()))
    return f"| {requirement.id} | {requirement.level} | {requirement.certainty} | {decider} | {defect} |\n"


def _without_decider(requirement: Requirement) -> str:
    if requirement.decided_by is DecidedBy.DECLARED:
        return "declared"
    return requirement.undecided_reason or "**nothing**"


def _cell(names: Sequence[str]) -> str:
    # A name may come from a parametrised case; a bar in it would end the cell.
    return ", ".join(f"`{name}`".replace("|", "\\|") for name in sorted(set(names)))
