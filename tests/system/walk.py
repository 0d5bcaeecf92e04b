"""The integrator's road by README alone, over a shop that nobody made for syncd: init, doctor, triggers, match, adopt,
plan, run-once, and then edits on both sides. What must hold at the end is asked here, of any shop.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner

from syncd.bootstrap import installation
from syncd.cli import syncd
from syncd.core.model import Values
from syncd.core.normalise import equal
from syncd.operate.reading import chosen
from syncd.sandbox.five import NAMES, provider_settings, serve_five, write_secrets
from syncd.source import customers
from tests.system.landscape import Landscape
from tests.system.shop_people import Person, There, existing, people, stranger
from tests.system.shop_rows import WALKED, fill

Shown = Mapping[str, Mapping[str, Values]]  # provider, external id, what it shows
PACE = 'rate = "off"\nsettle = "1s"\ntimeout = "10s"\nbackoff = "200ms"\n'  # stand-ins need no mercy


class Walked(Landscape):
    """A landscape whose settings file is the one that `init` wrote, with the providers filled in."""

    def write(self) -> None:
        secrets = self.directory / "secrets"
        write_secrets(secrets)
        text = self.config.read_text(encoding="utf-8")
        providers = provider_settings(self.server, secrets, PACE, self.names)
        self.config.write_text(f"{text}\n{providers}", encoding="utf-8")


@dataclass(frozen=True)
class Step:
    """What one command cost: seconds by the wall, seconds of CPU (stand-ins included), requests by provider."""

    words: str
    wall: float
    cpu: float
    requests: Mapping[str, int]


@dataclass
class Walk:
    """One walk. `truth` is per provider whose record each external id is: a customer's key, or None for a stranger."""

    land: Walked
    shop: str
    persons: list[Person]
    truth: dict[str, dict[str, int | None]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    note: Callable[[Step], None] = field(default=lambda _step: None)  # of every command, once it is over

    def told(self, *words: str, code: int | tuple[int, ...] = 0) -> Any:
        """A command as README has it; what it said is kept."""
        before, began, spent = self._requests(), time.monotonic(), time.process_time()
        answer = self.land.said(*words)
        self.note(
            Step(
                " ".join(word for word in words if "/" not in word),
                time.monotonic() - began,
                time.process_time() - spent,
                {name: number - before[name] for name, number in self._requests().items()},
            )
        )
        codes = code if isinstance(code, tuple) else (code,)
        assert answer.code in codes, f"{' '.join(words)}: {answer.code}\n{answer.out[-3000:]}\n{answer.err[-3000:]}"
        self.said[words[0]] = answer.out + answer.err
        return answer

    def asked(self) -> Any:
        """The open questions."""
        return self.told("review", "list", "--json", code=(0, 5)).data["items"]

    def _requests(self) -> dict[str, int]:
        return {name: len(self.land.twin(name).log) for name in self.land.names}

    # -- before ------------------------------------------------------------------------------------------------

    def proposed(self, url: str) -> None:
        """`init`, and the providers filled in as the file says."""
        answer = CliRunner().invoke(syncd, ["init", "--source", url, "--output", str(self.land.config)])
        assert answer.exit_code == 0, answer.output
        self.said["init"] = answer.output
        self.land.write()

    def peopled(self) -> None:
        """Every provider has most of the customers already, and strangers of its own."""
        with installation(self.land.settings, exclusive=False, read_only=True) as site:
            for route in chosen(site, ()):
                held = [there for person in self.persons for there in existing(person, route.provider)]
                held += [
                    There(None, str(n), stranger(n, str(n))) for n in range(80_001, 80_001 + len(self.persons) // 10)
                ]
                owners = self.truth.setdefault(route.provider, {})
                for there in held:
                    values = route.adapter.project(there.values)
                    remote = route.adapter.create(there.number, values)
                    owners[remote.external_id] = there.owner

    # -- what is there -----------------------------------------------------------------------------------------

    def links(self) -> dict[str, dict[str, str]]:
        """Per provider: customer's key to external id, of those that are linked."""
        engine = sa.create_engine(f"sqlite:///{self.land.state}")
        with engine.connect() as conn:
            rows = conn.execute(sa.text("SELECT provider, customer_key, external_id FROM mapping")).all()
        engine.dispose()
        found: dict[str, dict[str, str]] = {name: {} for name in self.land.names}
        for provider, key, external_id in rows:
            if external_id is not None:
                found[provider][key] = external_id
        return found

    def look(self, links: Mapping[str, Mapping[str, str]] | None = None) -> Shown:
        """Everybody at every provider as it shows him, or the records of these links."""
        with installation(self.land.settings, exclusive=False, read_only=True) as site:
            held: dict[str, dict[str, Values]] = {}
            for route in chosen(site, ()):
                if links is None and route.adapter.capabilities.lists_whole:
                    found = [remote for page in route.adapter.scan(None) for remote in page.remotes]
                else:
                    records = list(self.land.twin(route.provider).records)
                    wanted = records if links is None else links[route.provider].values()
                    found = [remote for each in wanted if (remote := route.adapter.fetch(each))]
                held[route.provider] = {remote.external_id: dict(remote.values) for remote in found}
            return held

    def rows(self) -> dict[str, Values]:
        """The customers as syncd reads them."""
        with installation(self.land.settings, exclusive=False, read_only=True) as site:
            return {row.key: dict(row.values) for row in customers.page(site.source, None, 100_000)}

    def street(self, key: int) -> Any:
        engine = sa.create_engine(self.land.source_url)
        with engine.connect() as conn:
            found = conn.execute(sa.text(WALKED[self.shop].look), {"key": key}).scalar_one()
        engine.dispose()
        return found

    def move(self, key: int, street: str) -> None:
        """The shop's own application."""
        engine = sa.create_engine(self.land.source_url)
        with engine.begin() as conn:
            assert conn.execute(sa.text(WALKED[self.shop].street), {"key": key, "street": street}).rowcount == 1
        engine.dispose()

    # -- the road ----------------------------------------------------------------------------------------------

    def go(self) -> None:
        """From doctor to the first run, and what must hold then."""
        self.told("triggers", "install")
        self.told("doctor")
        reports = self.land.directory / "reports"
        self.told("match", "--all", "--out", str(reports))
        before, rows = self.look(), self.rows()
        self.told("adopt", "--all", str(reports), "--yes")
        plan = self.told("plan", "--json", code=0).data
        self.told("run-once", "--wait", "60s", code=(0, 5))
        self.told("run-once", "--scan", "--wait", "60s", code=(0, 5))
        self.judge(before, rows, plan)

    def judge(self, before: Shown, rows: Mapping[str, Values], plan: Any) -> None:
        """No duplicate, nothing written that the plan did not show, every doubtful one in review."""
        planned: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for each in plan["operations"]:
            planned[each["provider"], each["customer_key"], each["verb"]] |= set(each["fields"])
        after, now, links = self.look(), self.rows(), self.links()
        items = self.asked()
        self.seen |= {
            "plan": plan["counts"],
            "review": Counter(f"{item['provider']} {item['kind']}" for item in items),
            "linked": {name: len(held) for name, held in links.items()},
            "records": {name: (len(before[name]), len(after[name])) for name in after},
        }
        asked = {(item["provider"], item["customer_key"]) for item in items}
        wrong = [
            *(each for name in self.truth for each in self._twice(name, links[name], after[name])),
            *(
                f"{name}: {person.key} ({person.kind}) is neither linked nor asked about"
                for name in self.truth
                for person in self.persons
                if str(person.key) not in links[name] and (name, str(person.key)) not in asked
            ),
            *(
                each
                for name in self.truth
                for each in self._written(name, before[name], after[name], links[name], planned)
            ),
            *self._pulled(rows, now, planned),
        ]
        assert not wrong, "\n".join(wrong[:40])

    def _twice(self, name: str, links: Mapping[str, str], after: Mapping[str, Values]) -> Iterator[str]:
        """Who got a second record, or somebody else's."""
        owners = self.truth[name]
        there = {str(owner) for owner in owners.values() if owner is not None}
        for key, external_id in links.items():
            if external_id in owners and str(owners[external_id]) != key:
                yield f"{name}: {key} is linked to a record of {owners[external_id]}"
            if external_id not in owners and key in there:
                yield f"{name}: {key} was there and got a second record"
        if after.keys() - owners.keys() != set(links.values()) - owners.keys():
            yield f"{name}: records that nobody is linked to were created"

    def _written(
        self,
        name: str,
        before: Mapping[str, Values],
        after: Mapping[str, Values],
        links: Mapping[str, str],
        planned: Mapping[tuple[str, str, str], set[str]],
    ) -> Iterator[str]:
        """What was written at a provider and was not in the plan."""
        by_id = {external_id: key for key, external_id in links.items()}
        for external_id, values in before.items():
            key = by_id.get(external_id, "")
            changed = self._changed(values, after.get(external_id, {})) - planned[name, key, "update"]
            changed -= {each for each in changed if self._composed(values, each)}
            if changed:
                yield f"{name}: {external_id} of {key or 'nobody'} changed in {sorted(changed)}"

    def _pulled(
        self,
        rows: Mapping[str, Values],
        now: Mapping[str, Values],
        planned: Mapping[tuple[str, str, str], set[str]],
    ) -> Iterator[str]:
        """What was written into the shop and was not in the plan."""
        for key, values in rows.items():
            allowed = set().union(*(planned[name, key, "pull"] for name in self.land.names))
            if changed := self._changed(values, now.get(key, {})) - allowed:
                yield f"source: {key} changed in {sorted(changed)}"

    @staticmethod
    def _composed(values: Values, name: str) -> bool:
        """Whether the provider only shows first and last name once more."""
        parts = [str(values[each]) for each in ("first_name", "last_name") if values.get(each)]
        return name in {"name", "contact_person"} and len(parts) == 2 and values.get(name) == " ".join(parts)

    @staticmethod
    def _changed(before: Values, after: Values) -> set[str]:
        return {name for name in before if name not in after or not equal(name, before[name], after[name], None)}

    def both_ways(self) -> None:
        """An edit in the shop reaches all five; one at a provider comes back into the shop's own table and goes on; a
        private person who is renamed somewhere stays a person."""
        links = self.links()
        known = [p for p in self.persons if all(str(p.key) in links[name] for name in links)]
        here, there, alone = [*known[:2], next(p for p in known[2:] if p.company is None)]
        self.move(here.key, "Neue Allee 1")
        self.told("run-once", "--wait", "60s", code=(0, 5))
        self.land.twin("aiotic").edit(links["aiotic"][str(there.key)], address="Andere Gasse 2")
        jtl = self.land.twin("jtl").records[links["jtl"][str(alone.key)]]
        self.land.twin("jtl").edit(
            links["jtl"][str(alone.key)], BillingAddress=jtl["BillingAddress"] | {"LastName": "Neumann"}
        )
        names = self.rows()[str(alone.key)]
        self.told("run-once", "--scan", "--wait", "60s", code=(0, 5))
        assert self.street(there.key) == "Andere Gasse 2"
        edited = [str(person.key) for person in (here, there, alone)]
        held = self.look({name: {key: links[name][key] for key in edited} for name in links})
        rows = self.rows()
        for person, street in ((here, "Neue Allee 1"), (there, "Andere Gasse 2")):
            for name in self.land.names:
                if "street" in held[name][links[name][str(person.key)]]:
                    assert held[name][links[name][str(person.key)]]["street"] == street, (name, person.key)
        if "last_name" in names:
            assert rows[str(alone.key)] == {**names, "last_name": "Neumann"}, "a person is no company"
            assert not jtl["BillingAddress"]["Company"]
            for name in self.land.names:
                shown = held[name][links[name][str(alone.key)]]
                assert "Neumann" in str(shown.get("name", shown.get("last_name"))), name
        self.silent()

    def silent(self) -> None:
        """The next full run writes nothing anywhere, and `verify` finds nothing but what people are asked about."""
        before = self.land.writes()
        counts = self.told("run-once", "--scan", "--wait", "60s", "--json", code=(0, 5)).data["counts"]
        assert self.land.writes() == before
        assert not counts.keys() & {"created", "updated", "pulled", "retry", "ambiguous", "dead"}, counts
        asked = {(item["provider"], item["customer_key"], item["kind"]) for item in self.asked()}
        found = self.told("verify", "--json", code=(0, 3)).data["differences"]
        ours = [each for each in found if each["customer_key"]]  # else: records of nobody's under one number
        assert {(each["provider"], each["customer_key"], each["kind"]) for each in ours} <= asked


@contextmanager
def walk(shop: str, url: str, directory: Path, count: int) -> Iterator[Walk]:
    """A shop with so many customers in this empty database, five providers that have most of them, and what `init`
    proposes."""
    persons = people(count, WALKED[shop].numbers)
    fill(url, shop, persons)
    with serve_five() as server:
        server.twins["invisible_collector"].set(vat_number="optional")  # private persons have none
        land = Walked(directory, server, NAMES, source_url=url)
        walked = Walk(land, shop, persons)
        walked.proposed(url)
        walked.peopled()
        yield walked
