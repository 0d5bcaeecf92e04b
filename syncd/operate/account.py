"""The operations of a plan so far at one provider: those that its guards have counted, and its pushes.

A run counts operations in the state as it goes on; a plan writes nothing, so it counts them here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from syncd.core.actions import LEFT_OUT, Unlink
from syncd.core.agreement import pushed
from syncd.core.case import Decided
from syncd.core.effects import Grave
from syncd.core.facts import Facts
from syncd.core.guards import Ask
from syncd.core.model import Link, Values, Verb
from syncd.operate.due import Due, Unstored
from syncd.reconcile import Route
from syncd.reconcile.case import Memory
from syncd.reconcile.guard import judge, prepared


@dataclass
class Account:
    """One provider in this plan.

    unstored  what a run would have stored before its first look
    due       the pairs that were due before any pull; None where the provider was not asked
    booked    the operations that passed the guards, by customer; `passed`: their numbers by verb
    reserved  our keys of the creates, each with its customer
    pushed    by customer, the link after the pushes, and the pushed values
    let_go    customers whose link ends although their key has a row, which is another customer's; each with the
              tombstone that a run would leave
    """

    route: Route
    unstored: Unstored = field(default_factory=Unstored)
    reserved: dict[str, str] = field(default_factory=dict)
    due: Due | None = None
    let_go: dict[str, Grave | None] = field(default_factory=dict)
    booked: dict[str, tuple[Ask, ...]] = field(default_factory=dict)
    passed: Counter[str] = field(default_factory=Counter)
    pushed: dict[str, tuple[Link, Values]] = field(default_factory=dict)

    def judged(self, decided: Decided) -> Decided:
        """The decision, counted, where the guards let it pass; else with the change of the guard that holds it back."""
        budget = replace(prepared(self.route, [decided]), passed=Counter(self.passed))
        with self.route.state.read() as tx:
            through, held = judge(tx, self.route, [decided], budget)
        if through and self.reserves(decided):
            key = decided.case.pair.key
            self.booked[key] = (*self.booked.get(key, ()), *decided.asks)
            for ask in decided.asks:
                self.passed[ask.verb] += ask.number
        return (*through, *held)[0]

    def unbook(self, key: str) -> None:
        """Take a customer's operations out of the count."""
        for ask in self.booked.pop(key, ()):
            self.passed[ask.verb] -= ask.number

    def lets_go(self, decided: Decided) -> bool:
        """Note that the link of this pair ends, although its key has a row. Answers whether it is so: a run looks once
        more at the row, as at an unlinked customer."""
        if decided.change is None or not isinstance(decided.action, Unlink) or not decided.action.again:
            return False
        self.let_go[decided.case.pair.key] = decided.change.grave
        return True

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


def memory_by_now(account: Account, memory: Memory) -> Memory:
    """The memory as a run would find it by now."""
    memory = account.unstored.over(memory)
    links = {key: link for key, link in memory.links.items() if key not in account.let_go}
    return memory._replace(links=links, intents={k: v for k, v in memory.intents.items() if k not in account.let_go})


def facts_by_now(account: Account, facts: Facts, key: str) -> Facts:
    """The facts of a pair after the plan's pushes, or without the link that the plan ends."""
    if key not in account.let_go:
        return _after_pushes(account, facts, key)
    grave = account.let_go[key]
    if grave is None:
        return facts
    whole = grave.whole and grave.how != LEFT_OUT
    return facts._replace(under_tombstone=facts.under_tombstone.union(grave.external_ids), buried=facts.buried or whole)


def _after_pushes(account: Account, facts: Facts, key: str) -> Facts:
    """The facts of a pair after the pushes of this plan."""
    if key not in account.pushed or facts.remote is None:
        return facts
    link, values = account.pushed[key]
    return facts._replace(link=link, remote=facts.remote._replace(values={**facts.remote.values, **values}))
