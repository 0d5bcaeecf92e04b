"""Histories that broke a promise once, as the wide world found and shortened them: what each one did is its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from syncd.core.guards import Limit
from syncd.core.model import Direction, Policy, Removal
from syncd.providers.adapter import Identity
from tests.model.history import History, Step
from tests.model.hostile import Nature
from tests.model.product import Guards
from tests.model.world import OVERNIGHT, SETTLE, TIMEOUT, Profile, Setting

RUN: Step = ("run", 0, (), False, (0, 1, 2))
SCAN: Step = ("run", 0, (), True, (0, 1, 2))
SETTLED: Step = ("wait", SETTLE + TIMEOUT + 1)
LOST: Step = ("fault", 0, "die", "write", 30.0)
FINDABLE = Nature(identity=Identity.FINDABLE)
REPLACING = replace(FINDABLE, replaces=True)
SHARING = replace(FINDABLE, more=frozenset({"country"}))
ECHOING = replace(FINDABLE, echo="late")
CUTTING = Nature(echo="early", keeps=(("name", "cut"),))
EDIT: Step = ("edit", 0, "name", "new")
THERE: Step = ("remote-edit", 0, 0, "city", "new")
CITY: Step = ("edit", 0, "city", "new")
CITY_SHORTENED: Step = ("remote-edit", 0, 0, "city", "shorten")
SHORTER: Step = ("remote-edit", 0, 0, "name", "shorten")


def _after_reading(name: str) -> Step:
    """A run in which somebody types at the provider right after the first reading of this name."""
    return ("run", 0, ((name, THERE),), False, (0, 1, 2))


def _alone(profile: Profile, *steps: Step, customers: int = 1, **more: object) -> History:
    return History(Setting((profile,), customers, **more), steps)  # type: ignore[arg-type]


NAMED: Mapping[str, History] = (
    {
        "a stranger under the key of our lost create": _alone(
            Profile(SHARING), ("fault", 0, "dropped", "write", 0.0), RUN, ("stranger", 0, 0), SETTLED, SCAN, shared=True
        ),
        "a merge in one capture": _alone(Profile(), RUN, ("merge", 0, 1), customers=2),
        "a merge of customers without numbers": _alone(
            Profile(on_delete=Removal.DELETE), RUN, ("merge", 0, 1), customers=2, numbered=False
        ),
        "two customers swap their keys": _alone(Profile(), RUN, ("swap", 0, 1), customers=2),
        "a customer without number swaps": _alone(Profile(FINDABLE), RUN, ("swap", 0, 1), customers=2, numbered=False),
        "a pace longer than the settle time": _alone(Profile(FINDABLE, rate=0.01), LOST, RUN, RUN, ("wait", 60.0)),
        "a clock set forwards while a create settles": _alone(
            Profile(FINDABLE), ("fault", 0, "late", "write", 30.0), RUN, ("clock", 300.0), RUN, ("wait", 60.0)
        ),
        "a successor whose clock is ahead": _alone(
            Profile(FINDABLE), LOST, RUN, RUN, ("wait", 60.0), clocks=(0.0, 300.0)
        ),
        "an edit while an update waits for its pace": _alone(
            Profile(REPLACING, rate=0.01), RUN, EDIT, _after_reading("p0 GET, answered")
        ),
        "deletions beyond the limit": _alone(
            Profile(on_delete=Removal.DELETE),
            RUN,
            *[("delete", 0)] * 3,
            RUN,
            customers=4,
            guards=Guards(delete=Limit(None, 1, 86_400.0)),
        ),
        "a name that grows behind what a promising provider keeps": _alone(
            Profile(CUTTING), RUN, SETTLED, SCAN, ("edit", 0, "name", "longer"), RUN
        ),
        "a customer forgotten whose name a promising provider cuts": _alone(
            Profile(CUTTING), RUN, ("operator", "forget", 0, 0)
        ),
        "a value shortened before a lost create was linked": _alone(
            Profile(Nature(keeps=(("email", "cut"),))),
            LOST,
            SCAN,
            ("wait", SETTLE),
            SCAN,
            ("remote-edit", 0, 0, "email", "shorten"),
        ),
        "an edit beyond the limit while a create waits for its confirmation": _alone(
            Profile(replace(Nature(), echo="late")),
            RUN,
            EDIT,
            ("edit", 1, "city", "new"),
            customers=2,
            guards=Guards(update=Limit(None, 1, 86_400.0)),
        ),
        "a customer deleted whose lost create may be one of two records": _alone(
            Profile(Nature(identity=Identity.SCAN), on_delete=Removal.DELETE),
            RUN,
            ("insert",),
            ("fault", 0, "lost", "write", 0.0),
            RUN,
            ("stranger", 0, -1),
            ("delete", 1),
            SETTLED,
            SCAN,
        ),
        "one answer that a record is not there": _alone(Profile(), RUN, EDIT, ("fault", 0, "absent", "read", 0.0), RUN),
    }
    | {
        f"a pull that point {point} keeps from being recorded": _alone(
            Profile(), RUN, THERE, ("run", point, (), True, (0, 1, 2)), THERE, SETTLED, SCAN
        )
        for point in range(14, 23)
    }
    | {
        f"erased by placeholders: {' '.join(signs)}": _alone(Profile(), RUN, ("erase", 0, 0, signs))
        for signs in (("name", "email"), ("email",), ("name", "city"))
    }
    | {
        f"a customer forgotten whose {field} a provider {how}s, {policy}, {way}": _alone(
            Profile(Nature(keeps=((field, how),)), policy=policy, directions=((field, way),)),
            RUN,
            ("operator", "forget", 0, 0),
        )
        for field, how in (("name", "cut"), ("email", "squeeze"))
        for policy, way in ((Policy.PROVIDER, Direction.BOTH), (Policy.SOURCE, Direction.PULL))
    }
    | {
        f"linked by hand while nobody knows whether our create arrived, {policy}, {kept}": _alone(
            Profile(Nature(keeps=(("name", kept),), delay=20.0), policy=policy),
            ("fault", 0, "late", "write", 30.0),
            RUN,
            ("wait", 31.0),
            ("operator", "link", 0, 0),
        )
        for policy in Policy
        for kept in ("cut", "upper", "squeeze")
    }
    | {
        f"a key given to somebody with the same e-mail address, after {edits} edits, numbers {numbered}": _alone(
            Profile(SHARING), *[EDIT] * edits, RUN, ("replace", 0), RUN, shared=True, numbered=numbered
        )
        for edits in (3, 4)
        for numbered in (True, False)
    }
    | {
        f"a value shortened after a listing showed it, {policy}": _alone(
            Profile(ECHOING, policy=policy), SCAN, SETTLED, SCAN, EDIT, RUN, ("wait", 30.0), SCAN, SETTLED, SHORTER
        )
        for policy in Policy
    }
    | {
        f"a newcomer whose insert point {point} keeps from being recorded": _alone(
            Profile(FINDABLE, inbound=True),
            RUN,
            ("arrive", 0),
            ("wait", OVERNIGHT),
            ("run", point, (), True, (0, 1, 2)),
            SETTLED,
            SCAN,
        )
        for point in range(10, 16)
    }
    | {
        "an e-mail shortened after it was read beside a push of unknown outcome": History(
            Setting((Profile(), Profile(Nature(echo="late"))), 1),
            (
                *(SCAN, ("remote-edit", 0, 0, "city", "shorten"), ("fault", 1, "late", "write", 40.0), SCAN),
                ("remote-edit", 1, 0, "email", "shorten"),
            ),
        ),
        "a city shortened after a listing showed it, while its push had no answer": _alone(
            Profile(FINDABLE), SCAN, ("fault", 0, "late", "write", 3.0), CITY, RUN, ("wait", 4.0), SCAN, CITY_SHORTENED
        ),
        "a settle time that ends while records are read": _alone(
            Profile(replace(ECHOING, keeps=(("city", "upper"),), delay=50.0), latency=8.0),
            *(SCAN, ("operator", "sync", 0, 0), ("remote-merge", 0, 1, 2), ("rekey", 8)),
            *(("fault", 0, "die", "write", 20.0), ("insert",), RUN, ("edit", 1, "last_name", "blank"), RUN),
            customers=2,
        ),
        "deleted, after a lost create that cannot be looked up": _alone(
            Profile(Nature(identity=Identity.SCAN, narrow=True), on_delete=Removal.DELETE),
            *(("fault", 0, "lost", "write", 5.0), RUN, ("insert",), ("delete", 0)),
            keys="nocase",
            numbered=False,
        ),
        "a row given to somebody while a person's order to link it is carried out": _alone(
            Profile(FINDABLE),
            *(SCAN, ("operator", "unlink", 0, 0), RUN, ("operator", "link", 0, 0)),
            ("run", 4, ((1, ("replace", 0)),), False, (0, 1, 2)),
        ),
        "what a person keeps of a pulled field, which the provider promises and writes its own way": _alone(
            Profile(
                Nature(echo="late", keeps=(("city", "upper"),), lists=False), directions=(("city", Direction.PULL),)
            ),
            *(RUN, ("operator", "sync", 0, 0), ("wait", 40.0), ("operator", "sync", 0, 0), ("wait", 40.0), RUN),
            ("decide", 0, 0),
        ),
        "unlinked by a person, and the row deleted": _alone(
            Profile(inbound=True), SCAN, ("operator", "unlink", 0, 0), ("insert",), ("delete", 0)
        ),
        "a stranger brings the number of a customer who was deleted": History(
            Setting((Profile(CUTTING), Profile(inbound=True)), 3), (("stranger", 1, 2), SCAN, ("delete", 2))
        ),
        "deleted while its create is under way, and a newcomer comes under its key": _alone(
            Profile(inbound=True), SCAN, LOST, ("insert",), RUN, ("arrive", 0), ("delete", 1)
        ),
        "an archived record that a person orders to be linked once more": _alone(
            Profile(), RUN, ("remote-archive", 0, 0), SCAN, ("decide", 0, 8), RUN
        ),
        "an erasure that a person denies in part, and another city": _alone(
            Profile(), SCAN, ("erase", 0, 0, ("name", "city")), SCAN, ("decide", 0, 0), CITY
        ),
        "an erasure that a person confirms for the contact person alone, who has another name here": _alone(
            Profile(Nature(composed=True), directions=(("city", Direction.OFF),)),
            *(SCAN, ("erase", 0, 0, ("name", "email")), ("edit", 0, "first_name", "new"), SCAN, ("decide", 0, 7)),
            *(("remote-edit", 0, 0, "email", "new"), ("remote-edit", 0, 0, "name", "shorten")),
        ),
        "an erasure that a person denies for the name alone": _alone(
            Profile(policy=Policy.REVIEW), SCAN, ("erase", 0, 0, ("name", "city")), SCAN, EDIT, SCAN, ("decide", 1, 0)
        ),
    }
    | {
        f"a customer forgotten whose create comes late, {identity}, {way}": _alone(
            Profile(Nature(identity=identity), inbound=True),
            *(SCAN, ("insert",), ("fault", 0, "late", "write", 30.0), SCAN),
            *steps,
            customers=1,
        )
        for identity in Identity
        for way, steps in {
            "his row another's": (("replace", 1), ("operator", "forget", 1, 0)),
            "his row another's, as a run has read": (("replace", 1), RUN, ("operator", "forget", 1, 0)),
            "and deleted": (("operator", "forget", 1, 0), ("delete", 1), ("insert",)),
            "and deleted once the record is listed": (("operator", "forget", 1, 0), SETTLED, SCAN, ("delete", 1)),
        }.items()
    }
    | {
        f"a row given to somebody after point {point} of linking a customer again": _alone(
            Profile(),
            *(SCAN, SETTLED, SCAN, ("operator", "forget", 0, 0), THERE, CITY),
            *(("run", point, (), True, (0, 1, 2)), ("replace", 0), SETTLED, SCAN),
        )
        for point in range(8, 24)
    }
    | {
        f"a row given to somebody at point {point} of linking a customer again": _alone(
            Profile(directions=(("email", Direction.PULL),)),
            *(SCAN, SETTLED, SCAN, ("operator", "forget", 0, 0)),
            ("run", 0, ((3, ("edit", 0, "email", "new")), (point, ("replace", 0))), True, (0, 1, 2)),
        )
        for point in range(10, 26)
    }
    | {
        f"a row given to somebody at point {point} of a link that a person ordered": _alone(
            Profile(),
            *(SCAN, SCAN, ("operator", "forget", 0, 0), ("operator", "link", 0, 0)),
            ("run", 0, ((point, ("replace", 0)),), True, (0, 1, 2)),
        )
        for point in range(1, 9)
    }
)
