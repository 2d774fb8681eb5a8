"""Every rule, by what it looks at. A rule declares its requirement once, here and nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass
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


class Rules(list[Rule]):
    """The rules over one kind of subject; used as a decorator it adds one."""

    def __call__(self, requirement: str, when: Condition = _always) -> Callable[[Check], Check]:
        """Register the decorated function as the rule of ``requirement``; ``when`` takes the same arguments."""

        def register(check: Check) -> Check:
            self.append(Rule(requirement, check, when))
            return check

        return register


on_envelope = Rules()  # (envelope, batch or None, knowledge)
on_batch = Rules()  # (batch, knowledge)
on_bericht = Rules()  # (bericht, batch, knowledge)
on_result = Rules()  # (result, knowledge)
