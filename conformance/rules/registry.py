"""Every rule, by what it looks at. A rule declares its requirement once, here and nowhere else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, count, repeat
from typing import Any

from conformance.rules.findings import Objection

Check = Callable[..., Objection | None]
Condition = Callable[..., bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """A requirement with the function that checks it; ``applies`` tells whether there is anything to check."""

    requirement: str
    check: Check
    applies: Condition


def _always(*_subject: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that follow each other and look at the same subjects, so that ``applies`` is asked once for all of them."""

    applies: Condition
    rules: list[Rule]


class Rules(list[Rule]):
    """The rules over one kind of subject; used as a decorator it adds one."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[Group] = []

    def __call__(self, requirement: str, when: Condition = _always) -> Callable[[Check], Check]:
        """Register the decorated function as the rule of ``requirement``; ``when`` takes the same arguments."""

        def register(check: Check) -> Check:
            self._add(Rule(requirement, check, when))
            return check

        return register

    def ask(self, subject: object, *context: object) -> Iterator[tuple[str, Objection | None]]:
        """Ask every rule about one subject: of each that could decide, yield its requirement and its objection."""
        for group in self.groups:
            if group.applies(subject, *context):
                for rule in group.rules:
                    yield rule.requirement, rule.check(subject, *context)

    def ask_each(self, subjects: Sequence[object], *context: object) -> Iterator[tuple[str, list[tuple[int, Objection]]]]:
        """Ask one rule after the other about all subjects: of each that could decide, yield its requirement and its objections by place of subject.

        There may be a thousand subjects, of which most have nothing against them: ``map`` goes past those quickest.
        """
        others = [repeat(value) for value in context]
        for group in self.groups:
            places = list(compress(count(), map(group.applies, subjects, *others)))
            asked = [subjects[place] for place in places]
            for rule in group.rules if asked else ():
                answers = map(rule.check, asked, *others)
                yield rule.requirement, [(place, answer) for place, answer in zip(places, answers, strict=True) if answer is not None]

    def _add(self, rule: Rule) -> None:
        self.append(rule)
        if not self.groups or self.groups[-1].applies is not rule.applies:
            self.groups.append(Group(rule.applies, []))
        self.groups[-1].rules.append(rule)


on_envelope = Rules()  # (envelope, batch or None, knowledge)
on_batch = Rules()  # (batch, knowledge)
on_bericht = Rules()  # (bericht, batch, knowledge)
on_result = Rules()  # (result, knowledge)
