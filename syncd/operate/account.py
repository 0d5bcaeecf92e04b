"""What a plan has spent and sent so far at one provider: its guards' counts, and the pairs that it would have pushed
to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from syncd.core.agreement import pushed
from syncd.core.case import Decided
from syncd.core.facts import Facts
from syncd.core.guards import Ask
from syncd.core.model import Link, Values, Verb
from syncd.reconcile import Route
from syncd.reconcile.guard import judge, prepared


@dataclass
class Account:
    """What passed the guards of one provider in this plan, by customer; the counts of an operation that a later look
    replaces are given back. `pushed`: pairs as their first look would leave them, with what it would push."""

    route: Route
    booked: dict[str, tuple[Ask, ...]] = field(default_factory=dict)
    pushed: dict[str, tuple[Link, Values]] = field(default_factory=dict)

    def judged(self, decided: Decided) -> Decided:
        """The decision as it is, or with the change of the guard that would hold it back."""
        passed = Counter[str]()
        for asks in self.booked.values():
            for ask in asks:
                passed[ask.verb] += ask.number
        budget = replace(prepared(self.route, [decided]), passed=passed)
        with self.route.state.read() as tx:
            through, held = judge(tx, self.route, [decided], budget)
        if through:
            key = decided.case.pair.key
            self.booked[key] = (*self.booked.get(key, ()), *decided.asks)
        return (*through, *held)[0]

    def went(self, decided: Decided) -> None:
        """Note what a push leaves behind: the next look at this pair begins there, as it would in a run."""
        write, remote = decided.write, decided.case.facts.remote
        if write is None or write.verb is not Verb.UPDATE or remote is None:
            return
        stored = remote._replace(values={**remote.values, **write.values})
        link = pushed(decided, self.route.terms(), stored).link
        if link is not None:
            before = self.pushed.get(decided.case.pair.key)
            self.pushed[decided.case.pair.key] = (link, {**(before[1] if before else {}), **write.values})

    def carried(self, facts: Facts, key: str) -> Facts:
        """The facts of a pair after the pushes of this plan."""
        if key not in self.pushed or facts.remote is None:
            return facts
        link, values = self.pushed[key]
        return facts._replace(link=link, remote=facts.remote._replace(values={**facts.remote.values, **values}))
