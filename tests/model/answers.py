"""Histories of answers that come late: every kind of question, every answer, and what may have happened since it was
asked, before the answer, or before anybody acts on it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace

from syncd.core.model import Direction, Policy, Removal
from syncd.providers.adapter import Identity
from tests.model.history import History, Step
from tests.model.hostile import Nature
from tests.model.named import CITY, FINDABLE, RUN, SCAN, SETTLED, THERE
from tests.model.world import Profile, Setting

DELETE = Removal.DELETE
LIST = Nature(identity=Identity.SCAN)
NARROW = replace(LIST, narrow=True)
NATURES: Mapping[str, Nature] = {
    "our-key": Nature(),
    "findable": FINDABLE,
    "number": replace(FINDABLE, renumbers=True),
    "scan": LIST,
}
ARRIVED: Step = ("fault", 0, "lost", "write", 0.0)
DROPPED: Step = ("fault", 0, "dropped", "write", 0.0)
INSERT: Step = ("insert",)
RIVAL: Step = ("stranger", 0, -1)
AWAY: Step = ("away", 0)
BACK: Step = ("restart",)
QUESTIONS: Mapping[str, tuple[Profile, tuple[Step, ...]]] = {
    "conflict": (Profile(policy=Policy.REVIEW), (SCAN, CITY, THERE, SCAN)),
    "remote_gone": (Profile(on_delete=DELETE), (SCAN, ("remote-delete", 0, 0), CITY, SCAN)),
    "remote_archived": (Profile(inbound=True), (SCAN, ("remote-archive", 0, 0), SCAN)),
    "unknown_create, arrived": (Profile(NARROW, inbound=True), (SCAN, ARRIVED, INSERT, RUN, SETTLED, SCAN)),
    "unknown_create, dropped": (Profile(NARROW, on_delete=DELETE), (SCAN, DROPPED, INSERT, RUN, SETTLED, SCAN)),
    "key_taken": (Profile(), (SCAN, ("twin", 0), SCAN)),
    "came_back": (Profile(), (SCAN, ("delete", 0), SCAN, ("again", 0, False), SCAN)),
    "came_back, removed": (Profile(on_delete=DELETE), (SCAN, ("delete", 0), SCAN, ("again", 0, True), SCAN)),
    "found": (Profile(), (SCAN, INSERT, RIVAL, SCAN)),
    "delete_conflict": (Profile(on_delete=DELETE, inbound=True), (SCAN, THERE, ("delete", 0), SCAN)),
    "delete_conflict, succeeded": (Profile(on_delete=DELETE, inbound=True), (SCAN, ("replace", 0), SCAN)),
    "delete_conflict, lost": (
        Profile(on_delete=DELETE, inbound=True),
        (SCAN, INSERT, ARRIVED, RUN, RIVAL, ("delete", 2), SETTLED, SCAN),
    ),
    "candidate": (Profile(inbound=True), (SCAN, ("operator", "forget", 0, 0), SCAN)),
    "ambiguous": (Profile(), (SCAN, INSERT, ARRIVED, RUN, RIVAL, SETTLED, SCAN)),
    "unlinked": (Profile(inbound=True), (SCAN, ("operator", "unlink", 0, 0), RUN)),
    "erased": (Profile(), (SCAN, ("erase", 0, 0, ("name", "email")), SCAN)),
    "renumbered": (Profile(), (SCAN, ("renumber", 0), SCAN)),
    "pull_only": (Profile(directions=(("city", Direction.PULL),)), (SCAN, CITY, SCAN)),
    "gutted": (Profile(), (SCAN, *(("remote-edit", 0, 0, name, "blank") for name in ("name", "email", "city")), SCAN)),
}
MEANWHILE: tuple[tuple[Step, ...], ...] = (
    (),
    *(((what, who),) for what in ("delete", "replace") for who in (0, -1)),
    *((("remote-delete", 0, which),) for which in (0, -1)),
    (("remote-archive", 0, 0),),
    (("remote-merge", 0, 0, 1),),
    (THERE,),
    (CITY, ("edit", -1, "name", "new")),
    *(((what, 0), (what, -1)) for what in ("rekey", "renumber")),
    *(((what, one, two),) for what in ("merge", "swap") for one, two in ((0, 1), (1, 0), (0, -1))),
    *((("again", 0, same),) for same in (True, False)),
    *((("operator", what, who, 0),) for what in ("unlink", "link", "forget") for who in (0, -1)),
    (("operator", "recover", 0, 0),),
    (RIVAL,),
    (AWAY, RUN, BACK),
    *((AWAY, (what, 0), (what, -1), SCAN, BACK) for what in ("delete", "replace", "rekey")),
    *((("fault", 0, how, "write", 30.0),) for how in ("lost", "late", "die")),
    (("fault", 0, "absent", "read", 0.0),),
)
ANSWERS = 3


def histories(question: str) -> Iterator[History]:
    """Every history about one kind of question, at a provider of every kind."""
    profile, asked = QUESTIONS[question]
    natures = NATURES.values() if profile.nature == Nature() else (profile.nature,)
    for nature in natures:
        setting = Setting((replace(profile, nature=nature), Profile(FINDABLE)), 2, lettered=nature.narrow, keys="int")
        for answer in range(ANSWERS):
            said: Step = ("decide", -1, answer)
            for steps in MEANWHILE:
                for late in ((said, *steps), (*steps, said), (*steps, SCAN, said)):
                    yield History(setting, (*asked, *late, SCAN, SETTLED, SCAN, SETTLED, SCAN))


def some(question: str, number: int, seed: int = 0) -> list[History]:
    """A few of them, the same for one seed."""
    return random.Random(f"{question} {seed}").sample(list(histories(question)), number)
