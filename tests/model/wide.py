"""The wide world: whatever real shops, providers and machines do, each kind of it switched on by the seed's own dice.

Shared values, keys of every form that change hands, a pace, slow requests, clocks that are off, guards, several daemons
on one state, operators, erasures and merges at the provider. A failing history is shrunk by switching these off again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from syncd.core.guards import Limit
from tests.model.history import FIELDS, LENGTH, History, Step, profile_of, step_of
from tests.model.product import Guards
from tests.model.world import FILTERS, SETTLE, Profile, Setting

DAY = 86_400.0
OFF = (60.0, -60.0, 300.0, -300.0, 30.0)  # seconds by which clocks are off
OPERATORS = ("sync", "sync", "retry", "unlink", "link", "forget", "recover", "pause", "resume")


def make_wide(seed: int) -> History:
    """The history of a seed in the wide world."""
    dice = random.Random(f"wide {seed}")
    shared, keys = dice.random() < 0.6, dice.choice(("int", "int", "int", "int", "uuid", "nocase", "padded"))
    numbered = dice.random() < 0.75
    several = range(dice.choice((1, 1, 1, 2, 2, 3)))
    profiles = tuple(_profile(dice, shared=shared, numbered=numbered, keys=keys) for _ in several)
    setting = Setting(
        profiles,
        dice.choice((1, 2, 2, 3, 4)),
        sole=dice.random() < 0.6,
        seed=seed,
        guards=_guards(dice) if dice.random() < 0.2 else Guards(),
        keys=keys,
        numbered=numbered,
        shared=shared,
        clocks=tuple(dice.choice((0.0, *OFF)) for _ in range(3)) if dice.random() < 0.3 else (0.0,),
        filters=_filters(seed),
    )
    steps = [step for _ in range(dice.randint(*LENGTH)) for step in _steps(dice, setting)]
    if setting.keys == "int" and random.Random(f"stamped {seed}").random() < 0.1:
        setting, steps = replace(setting, stamped=True), [step for step in steps if _told_by_stamps(step)]
    profiles = tuple(_conditional(profile, seed, place) for place, profile in enumerate(profiles))
    return History(replace(setting, profiles=profiles, lettered=_lettered(setting)), tuple(steps))


def _conditional(profile: Profile, seed: int, place: int) -> Profile:
    """Half of the providers whose records have versions write over the version that was read and over no other."""
    chosen = profile.nature.versions and random.Random(f"conditional {seed} {place}").random() < 0.5
    return replace(profile, nature=replace(profile.nature, conditional=chosen))


def _told_by_stamps(step: Step) -> bool:
    """Whether a column that says when a row was changed tells of this: not of a key that was given to another."""
    lost = {"replace", "rekey", "respell", "merge", "swap", "touch"}
    planned = [each for part in step for each in (part if isinstance(part, tuple) else ()) if isinstance(each, tuple)]
    return (
        step[0] not in lost and not (step[0] == "again" and not step[2]) and not any(p[1][0] in lost for p in planned)
    )


def _filters(seed: int) -> tuple[str, ...]:
    """Which filters the settings of a world use: in a quarter of them."""
    dice = random.Random(f"filters {seed}")
    return tuple(name for name in FILTERS if dice.random() < 0.6) if dice.random() < 0.25 else ()


def _lettered(setting: Setting) -> bool:
    """Whether customer numbers have a letter: often where a provider could not carry it."""
    narrow = any(profile.nature.narrow for profile in setting.profiles)
    return narrow and setting.numbered and random.Random(f"lettered {setting.seed}").random() < 0.7


def _profile(dice: random.Random, *, shared: bool, numbered: bool, keys: str) -> Profile:
    plain = profile_of(dice)
    nature = replace(
        plain.nature,
        more=frozenset({"country"}) if shared else frozenset(),
        one_email=dice.random() < 0.08,
        renumbers=plain.nature.renumbers and numbered,
    )
    return replace(
        plain,
        nature=nature,
        inbound=plain.inbound and keys == "int",
        rate=dice.choice((None, None, None, None, 0.5, 0.05, 0.01)),
        latency=dice.choice((0.05, 0.05, 0.05, 2.0, 8.0)),
    )


def _guards(dice: random.Random) -> Guards:
    def limit() -> Limit | None:
        return Limit(None, dice.choice((1, 2, 3)), DAY) if dice.random() < 0.5 else None

    return Guards(update=limit(), delete=limit(), blank=limit(), overwrite=limit(), create=None)


def _steps(dice: random.Random, setting: Setting) -> list[Step]:
    """One step of the narrow world, or what only the wide one knows; some things come together."""
    if dice.random() < 0.68:
        return [step_of(dice)]
    makers: list[tuple[int, Callable[[], list[Step]]]] = [
        (3, lambda: [("merge", dice.randrange(9), dice.randrange(9))]),
        (2, lambda: [("swap", dice.randrange(9), dice.randrange(9))]),
        (2, lambda: [("touch", dice.randrange(9)), ("respell", dice.randrange(9))][: dice.randint(1, 2)]),
        (3, lambda: [("clock", dice.choice((0.0, *OFF)))]),
        (6, lambda: _killed(dice)),
        (6, lambda: [("operator", dice.choice(OPERATORS), dice.randrange(9), dice.randrange(9))]),
        (2, lambda: [("remote-merge", dice.randrange(9), dice.randrange(9), dice.randrange(9))]),
        (2, lambda: [("fault", dice.randrange(9), "absent", "read", 0.0)]),
        (2, lambda: [("erase", dice.randrange(9), dice.randrange(9), _signs(dice))]),
        (5, lambda: [_shorter(dice)]),
        (5, lambda: _lost_create(dice)),
        (5, lambda: _between(dice)),
        (4, lambda: _clock_jumps(dice)),
        (1, lambda: [("twin", dice.randrange(9))]),
        (2, lambda: [("delete", dice.randrange(9)) for _ in range(3)]),
        (0 if setting.sole else 9, lambda: [_daemons(dice)]),
        (9 if setting.filters else 0, lambda: [_leaves(dice)]),
        (9 if setting.filters else 0, lambda: _out_and_back(dice)),
    ]
    return dice.choices(makers, [weight for weight, _ in makers])[0][1]()


def _remote_edit(dice: random.Random, mode: str = "new") -> Step:
    return ("remote-edit", dice.randrange(9), dice.randrange(9), dice.choice(FIELDS), mode)


def _edit(dice: random.Random) -> Step:
    return ("edit", dice.randrange(9), dice.choice(FIELDS), "new")


def _shorter(dice: random.Random) -> Step:
    return ("remote-edit", dice.randrange(9), dice.randrange(9), dice.choice(("name", "email", "city")), "shorten")


def _run(dice: random.Random, crash_at: int = 0) -> Step:
    return ("run", crash_at, (), dice.random() < 0.6, tuple(dice.sample(range(3), 3)))


def _leaves(dice: random.Random) -> Step:
    return (dice.choice(("leave", "come-back")), dice.randrange(9), dice.randrange(3))


def _out_and_back(dice: random.Random) -> list[Step]:
    """Somebody is left out, at times while a write is under way, something happens on either side, and he is back."""
    how, change = dice.randrange(3), dice.choice((_edit(dice), _remote_edit(dice), ("renumber", dice.randrange(9))))
    there: list[Step] = [("fault", dice.randrange(3), "late", "write", 20.0)] if dice.random() < 0.3 else []
    meanwhile = [_run(dice)] if dice.random() < 0.7 else []
    return [
        *there,
        _edit(dice),
        ("leave", dice.randrange(9), how),
        *meanwhile,
        change,
        ("come-back", 0, how),
        _run(dice),
    ]


def _killed(dice: random.Random) -> list[Step]:
    """An edit, a kill at any effect, an edit at the provider while nothing runs, a restart soon or late."""
    edits = [_edit(dice) if dice.random() < 0.5 else _remote_edit(dice) for _ in range(dice.choice((1, 1, 2)))]
    pause = ("wait", dice.choice((0.0, 1.0, 30.0, SETTLE + 11)))
    return [*edits, _run(dice, dice.randint(1, 70)), _remote_edit(dice), pause, _run(dice)]


def _lost_create(dice: random.Random) -> list[Step]:
    """A create whose answer is lost, executed or not, and a record of another under that key before it settles."""
    lost: Step = ("fault", dice.randrange(9), dice.choice(("lost", "dropped", "late", "die")), "write", 20.0)
    there: Step = ("stranger", dice.randrange(9), -1) if dice.random() < 0.6 else _remote_edit(dice)
    pause: Step = ("wait", dice.choice((0.0, SETTLE + 11)))
    return [lost, ("insert",), _run(dice), there, pause, _run(dice)]


def _between(dice: random.Random) -> list[Step]:
    """An edit here, and one of the same customer at the provider right before our write leaves, or after a reading."""
    who, place = dice.randrange(9), dice.randrange(3)
    point = f"p{place} {dice.choice(('PUT, before', 'PUT, before', 'GET, answered'))}"
    there: Step = ("remote-edit", place, who, dice.choice(FIELDS), "new")
    return [("edit", who, dice.choice(FIELDS), "new"), ("run", 0, ((point, there),), False, (0, 1, 2))]


def _clock_jumps(dice: random.Random) -> list[Step]:
    """A write whose answer is lost, a clock that is set before it has settled, a look."""
    lost: Step = ("fault", dice.randrange(3), dice.choice(("late", "die", "die")), "write", dice.uniform(5.0, 50.0))
    change: Step = ("insert",) if dice.random() < 0.7 else _edit(dice)
    jump: Step = ("clock", dice.choice(OFF)) if dice.random() < 0.7 else ("wait", 0.0)
    return [lost, change, _run(dice), jump, _run(dice), ("wait", 60.0)]


def _signs(dice: random.Random) -> tuple[str, ...]:
    first = dice.choice((("name",), ("email",), ("name", "email")))
    return (*first, *(name for name in ("first_name", "city") if dice.random() < 0.5))


def _daemons(dice: random.Random) -> Step:
    planned = tuple(
        (dice.randint(1, 120), _edit(dice) if dice.random() < 0.5 else _remote_edit(dice)) for _ in range(2)
    )
    crash_at = dice.randint(1, 150) if dice.random() < 0.3 else 0
    stalls = dice.choice((0.0, 0.0, 0.02, 0.1))
    return ("daemons", dice.choice((2, 2, 3)), dice.randrange(10**6), stalls, dice.random() < 0.5, crash_at, planned)
