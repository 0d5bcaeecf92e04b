"""Three daemons on one PostgreSQL state while everything goes wrong that machines know.

    python -m tests.system.three --edits 500 [--seed N] [--customers N]

SIGSTOP beyond and below the lease, SIGKILL, rolling restarts, a network that is cut between one daemon and everything
else, and one daemon whose clock is 60 s ahead; meanwhile so many edits in the shop, as many at the providers, and new
customers. Every field has one place where it is edited (e-mail: the shop, city: JTL, address: aiotic), so that nothing
is a matter of policy: each last value must stand everywhere in the end, no customer may have two records, no older
value may ever have stood over a newer one, and a last look must write nothing. A second edit typed while the first
write of ours is unconfirmed may be asked about; more than 2 % of questions, or any other, is a failure.

An edit typed at a provider between our reading of that record and our write is overwritten where a PUT
replaces (README names the window); such windows are counted and told. One longer than a request, or than a process was
stopped, is a failure.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.system.running import until
from tests.system.test_daemons_together import LEASE, NAMES
from tests.system.three_judged import apart, asked, doubled, echo, judged, lost, told
from tests.system.three_world import Three, Typed, number_of, three

MOST = 0.02  # of the edits on each side may end as a question
TROUBLES = ("stop", "stop", "kill", "kill", "restart", "cut", "cut")


# -- people and troubles ---------------------------------------------------------------------------------------------


def edit(run: Three) -> None:
    """One edit in the shop and one at a provider; now and then a new customer."""
    run.serial += 1
    key = run.chance.randrange(run.customers)
    run.site.run(f"UPDATE customers SET email = 'mail-{key}-{run.serial}@example.com' WHERE id = {key}")
    run.newest["mail", key] = run.serial
    run.edits["shop"] += 1
    if run.serial % 20 == 0:
        number = run.customers
        run.site.run(
            f"INSERT INTO customers VALUES ({number}, '{1000 + number}', 'Firma {number}', 'info{number}@example.com',"
            f" 'road-{number}-0', '20457', 'city-{number}-0', 'DE')"
        )
        run.customers += 1
    _edit_there(run, run.chance.choice(NAMES), run.chance.randrange(run.customers))


def _edit_there(run: Three, name: str, key: int) -> None:
    twin, what = run.site.server.twins[name], "city" if name == "jtl" else "road"
    with twin.lock:
        found = next((i for i, record in twin.records.items() if number_of(name, record) == str(1000 + key)), None)
        if found is None:
            return
        value = f"{what}-{key}-{run.serial}"
        if name == "jtl":
            twin.edit(found, BillingAddress={**twin.records[found]["BillingAddress"], "City": value})
        else:
            twin.edit(found, address=value)
        run.newest[what, key] = run.serial
        run.typed[name].append(Typed(what, key, run.serial, len(twin.log)))
        run.edits["providers"] += 1


def trouble(run: Three) -> list[tuple[float, str, int]]:
    """One thing goes wrong with one daemon; when what has to be done about it, in seconds from now."""
    kind, number = run.chance.choice(TROUBLES), run.chance.randrange(3)
    run.troubles[kind] += 1
    daemon = run.daemons[number]
    long = run.chance.choice((1.0, 4.0, LEASE + 4.0))
    if kind == "stop":
        daemon.send(signal.SIGSTOP)
        return [(long, "continue", number)]
    if kind == "kill":
        daemon.send(signal.SIGKILL)
        return [(run.chance.choice((0.2, 3.0, LEASE + 2.0)), "start", number)]
    if kind == "restart":
        return [(after * 2.0, "renew", each) for after, each in enumerate((0, 1, 2))]
    for each in run.relays[number]:
        each.cut()
    return [(long, run.chance.choice(("mend", "reset")), number)]


def undo(run: Three, how: str, number: int) -> None:
    """What follows a trouble."""
    if how == "continue":
        run.daemons[number].send(signal.SIGCONT)
    elif how in {"mend", "reset"}:
        for each in run.relays[number]:
            each.mend(reset=how == "reset")
    else:
        if how == "renew":
            run.daemons[number].send(signal.SIGCONT)
            run.daemons[number].end(60.0)
        run.end(number)
        run.start(number)


def play(run: Three, edits: int, *, every: float = 5.0) -> None:
    """So many edits on each side; a trouble every so many seconds, one daemon's at a time or two."""
    due: list[tuple[float, str, int]] = []
    following = time.monotonic()
    while run.edits["shop"] < edits or run.edits["providers"] < edits:
        edit(run)
        now = time.monotonic()
        for each in [each for each in due if each[0] <= now]:
            due.remove(each)
            undo(run, *each[1:])
        busy = {number for _, _, number in due}
        if now >= following and len(busy) < 2:
            following = now + every
            added = trouble(run) if not busy else []
            due += [(now + after, how, number) for after, how, number in added]
        time.sleep(run.chance.uniform(0.05, 0.25))
    for _, how, number in sorted(due):
        undo(run, how, number)


def pair_of(problem: str) -> tuple[str, int] | None:
    """The pair that a problem begins with, if it does."""
    name, _, rest = problem.partition(" ")
    key = rest.partition(":")[0]
    return (name, int(key)) if name in NAMES and key.isdecimal() else None


def main() -> int:
    """0 when nothing was lost, doubled, overwritten or echoed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=500, help="on each side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--customers", type=int, default=40)
    chosen = parser.parse_args()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="syncd-three-") as made,
        three(Path(made), chosen.seed, chosen.customers) as run,
    ):
        play(run, chosen.edits)
        until(lambda: not apart(run), 180.0)
        echoes, found = echo(run, 6.0), judged(run)
        missing, twice, questions = [*apart(run), *lost(run, found.excused)], doubled(run), asked(run)
        print(f"seed {chosen.seed}: {dict(run.edits)} edits, {dict(run.troubles)}, {time.monotonic() - began:.0f} s")
        counts = f"lost {len(missing)}, doubled {len(twice)}, overwritten {len(found.wrong)}"
        print(f"{counts}, asked {len(questions)}, echo {echoes}")
        windows = ", ".join(f"{window:.1f} s" for window in sorted(found.windows)) or "none"
        print(f"typed between a reading and its write: {windows}; jobs that failed {len(run.failed)}")
        for problem in [*missing, *twice, *found.wrong, *run.failed][:30]:
            print("  " + problem)
        for provider, key in sorted({pair for pair in map(pair_of, missing) if pair} | set(questions))[:5]:
            print("\n".join([f"  {provider} {key}", *told(run, provider, key)]))
        strange = set(questions.values()) - {"conflict"} or len(questions) > chosen.edits * MOST
        return 1 if missing or twice or found.wrong or strange or echoes else 0


if __name__ == "__main__":
    sys.exit(main())
