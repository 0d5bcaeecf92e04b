"""The operations of a plan so far at one provider: those that its guards have counted, and its pushes.

A run counts operations in the state as it goes on; a plan writes nothing, so it counts them here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from syncd.core.agreement import pushed
from syncd.core.case import Decided
from syncd.core.facts import Facts
from syncd.core.guards import Ask
from syncd.core.model import Link, Values, Verb
from syncd.operate.due import Due, Unstored
from syncd.reconcile import Route
from syncd.reconcile.guard import judge, prepared


@dataclass
class Account:
    """`booked`: the operations that passed the guards of one provider in this plan, by customer. `pushed`: by customer,
    the link after the plan's pushes, and the pushed values. `unstored`: what a run would have stored by now.
    `reserved`: our keys of the plan's creates, each with its customer. `due`: the pairs that were due before any pull;
    None where the provider was not asked."""

    route: Route
    unstored: Unstored = field(default_factory=Unstored)
    reserved: dict[str, str] = field(default_factory=dict)
    due: Due | None = None
    booked: dict[str, tuple[Ask, ...]] = field(default_factory=dict)
    pushed: dict[str, tuple[Link, Values]] = field(default_factory=dict)

    def judged(self, decided: Decided) -> Decided:
        """The decision, counted, where the guards let it pass; else with the change of the guard that holds it back."""
        passed = Counter[str]()
        for asks in self.booked.values():
            for ask in asks:
                passed[ask.verb] += ask.number
        budget = replace(prepared(self.route, [decided]), passed=passed)
        with self.route.state.read() as tx:
            through, held = judge(tx, self.route, [decided], budget)
        if through and self.reserves(decided):
            key = decided.case.pair.key
            self.booked[key] = (*self.booked.get(key, ()), *decided.asks)
        return (*through, *held)[0]

    def reserves(self, decided: Decided) -> bool:
        """Reserve our key, for a create. Answers False where another customer of this plan has it: a run would ask a
        person about the second one."""
        if decided.write is None or decided.write.verb is not Verb.CREATE:
            return True
        return self.reserved.setdefault(decided.case.key, decided.case.pair.key) == decided.case.pair.key

    def note_push(self, decided: Decided) -> None:
        """Note link and values after a push: the next look at this pair begins with them, as in a run."""
        write, remote = decided.write, decided.case.facts.remote
        if write is None or write.verb is not Verb.UPDATE or remote is None:
            return
        stored = remote._replace(values={**remote.values, **write.values})
        link = pushed(decided, self.route.terms(), stored).link
        if link is not None:
            before = self.pushed.get(decided.case.pair.key)
            self.pushed[decided.case.pair.key] = (link, {**(before[1] if before else {}), **write.values})

    def after_pushes(self, facts: Facts, key: str) -> Facts:
        """The facts of a pair after the pushes of this plan."""
        if key not in self.pushed or facts.remote is None:
            return facts
        link, values = self.pushed[key]
        return facts._replace(link=link, remote=facts.remote._replace(values={**facts.remote.values, **values}))
