"""`syncd explain KEY`: why is this customer as it is, at every provider, field by field?"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.options import config_option, json_option, print_json, settings_for
from syncd.cli.output import echo
from syncd.cli.words import REASONS, WAITS

if TYPE_CHECKING:
    from syncd.core.actions import Action
    from syncd.core.facts import Facts
    from syncd.core.model import Customer, Value
    from syncd.operate.explain import Look
    from syncd.source.database import Source
    from syncd.store.events import Event

HISTORY = 12


@click.command()
@config_option
@json_option
@click.option("--values", is_flag=True, help="Show values also where the output is no terminal.")
@click.argument("key")
def explain(config: Path | None, *, as_json: bool, values: bool, key: str) -> None:
    """Why is this customer as it is, at every provider, field by field?

    KEY is its key in the source, or its customer number. Both sides are read, nothing is written.
    """
    from syncd.bootstrap import installation
    from syncd.cli.sync import resolved
    from syncd.operate.explain import look
    from syncd.source import customers
    from syncd.store import events

    settings = settings_for(config)
    with installation(settings, exclusive=False) as site:
        customer_key = resolved(site, key)
        customer = customers.read(site.source, [customer_key]).get(customer_key)
        looks = [look(site, route, customer_key, customer) for route in site.routes]
        if _unread(site.source, customer_key):
            looks = [replace(each, unread=True) for each in looks]
        with site.state.read() as tx:
            history = events.events(tx, customer_key, HISTORY)
    if as_json:
        print_json(_json(customer_key, customer, looks, history, values=values))
        return
    for line in _lines(customer_key, customer, looks, history, values=values or sys.stdout.isatty()):
        echo(line)


def _unread(source: Source, key: str) -> bool:
    """Whether the change log holds a change of this key. False where the log cannot be read."""
    from syncd.errors import SyncdError
    from syncd.source import changelog

    try:
        return changelog.unread(source, key)
    except SyncdError:  # `status` and `doctor` tell that; the rest of the explanation does not need the log
        return False


def _lines(
    key: str, customer: Customer | None, looks: list[Look], history: list[Event], *, values: bool
) -> Iterator[str]:
    from syncd.cli.naming import about, whom
    from syncd.cli.shown import clock
    from syncd.core.doubts import doubts

    yield f"customer {whom(key, asked=values)}" + ("" if customer is not None else "   not in the source")
    for name, problem in (customer.problems if customer is not None else {}).items():
        yield f"    {name or 'row'}: {problem}"
    for name, doubt in (doubts(customer.values) if customer is not None else {}).items():
        yield f"    {name}: {doubt} (a warning: nothing waits for it)"
    for each in looks:
        yield from (about(line, key, asked=values) for line in _provider_lines(each, history, values=values))
    if history:
        yield "last events"
    for event in history:
        names = f" ({', '.join(event.fields)})" if event.fields and len(event.fields) <= 4 else ""
        detail = about(event.detail, key, asked=values)
        yield f"    {clock(event.at)}  {event.provider:20} {event.event}{names} {detail}".rstrip()


def _provider_lines(each: Look, history: list[Event], *, values: bool) -> Iterator[str]:
    word, why, command = verdict(each, history)
    yield f"{each.provider:20} {word}" + (f": {why}" if why else "")
    if each.link is not None and each.link.external_id is not None:
        others = ", ".join(f"{name} {value}" for name, value in sorted(each.link.external_ids.items()))
        yield f"    record {each.link.external_id}" + (f" ({others})" if others else "")
    for name, verb, reason in field_rows(each):
        line = f"    {name:16} {verb:8} {reason}"
        yield line + (_both(each.facts, name) if values and each.facts is not None else "")
    if each.silence:
        yield f"    not asked just now ({each.silence}): this is from the state alone"
    when = next_action(each)
    if why and when.startswith("nothing: ") and why.endswith(when.removeprefix("nothing: ")):
        when = "nothing until this is mended"
    if when:
        yield f"    next: {when}"
    if command:
        yield f"    {command}"


def verdict(each: Look, history: list[Event]) -> tuple[str, str, str]:
    """The pair's state (a word of `remedies.PAIRS`), the reason, and the command to type; "" for none."""
    from syncd.status.remedies import PAIRS, PROVIDERS, quoted, review
    from syncd.status.report import is_let_go

    key = each.work.pair.key if each.work else each.link.pair.key if each.link else ""
    if each.reviews:
        item = each.reviews[0]
        remedy = review(item.kind)
        return "review", item.reason or remedy.sentence, remedy.typed(provider=each.provider, key=key, number=item.id)
    word = pair_word(each)
    waits = each.work is not None and each.work.error and not is_let_go(each.work.error_class)
    reason = each.work.error if each.work is not None and waits else _last_reason(each, word, history)
    reason = WAITS.get(each.work.error_class, reason) if each.work is not None else reason
    if word not in {"linked", "excluded"} and each.condition in {"paused", "blocked", "down"}:
        remedy = PROVIDERS[each.condition]
        return word, each.silence or remedy.sentence, remedy.typed(provider=each.provider)
    if each.work is not None and each.work.error_class == "adopt":
        return "waiting", "first contact: nothing is created before a match report", f"syncd match {each.provider}"
    if word == "linked" and described(each.action):
        when = "the next look acts" if each.work is not None else "no look is due for it"
        return word, f"They differ by now; {when}.", f"syncd sync {quoted(key)}"
    if word == "linked" and each.unread:
        return "due", "A change in the source waits to be picked up.", ""
    if word == "linked" and each.facts is None:
        return word, "Agreed at the last look; the provider was not asked just now.", ""
    remedy = PAIRS.get(word, PAIRS["waiting"])
    shown = remedy.typed(provider=each.provider, key=key) if remedy.command and "explain" not in remedy.command else ""
    return word, reason or remedy.sentence, shown


def pair_word(each: Look) -> str:
    """The state of a pair without open questions: a word of `remedies.PAIRS`."""
    from syncd.status.report import is_failure, is_let_go

    if each.work is not None:
        if each.work.error_class == "OutcomeUnknown":
            return "ambiguous"
        if is_failure(each.work.error_class):
            return "retry"
        return "waiting" if each.work.error_class and not is_let_go(each.work.error_class) else "due"
    if each.link is None:
        return "due" if doing(each) else "waiting" if each.action is None else "excluded"
    return each.link.state.value


def _last_reason(each: Look, word: str, history: list[Event]) -> str:
    names = {"rejected": "pair.rejected", "dead": "pair.dead_lettered"}
    last = next((e for e in history if e.provider == each.provider and e.event == names.get(word)), None)
    if last is None:
        return ""
    return f"{', '.join(last.fields)}: {last.detail}" if last.fields else last.detail


def field_rows(each: Look) -> Iterator[tuple[str, str, str]]:
    """A row (name, verdict, reason) for each field that is not simply agreed, off, or unknown on one side. None where
    the provider has no record."""
    if each.facts is not None and each.facts.remote is None:
        return
    for name, decision in each.decisions.items():
        silent = decision.verdict.value == "keep" and decision.reason in {"agreed", "off", "not-mapped", "unreadable"}
        if not silent:
            yield name, decision.verdict.value, REASONS.get(decision.reason, decision.reason)


def _both(facts: Facts | None, name: str) -> str:
    if facts is None:
        return ""
    source = facts.source or {}
    there = facts.remote.values if facts.remote is not None else {}
    return f"   source: {_value(source, name)}   provider: {_value(there, name)}"


def _value(values: Mapping[str, Value], name: str) -> str:
    if name not in values:
        return "(unknown)"
    return "(empty)" if values[name] is None else str(values[name])


def next_action(each: Look) -> str:
    """What a cycle would do with this pair, and when, where the pair waits for its time."""
    from syncd.cli.shown import clock
    from syncd.status.report import is_let_go

    does = doing(each)
    if each.work is not None and each.work.error_class and not is_let_go(each.work.error_class):
        late = each.work.due_at <= datetime.now(UTC)
        when = "as soon as its turn comes" if late else f"at {clock(each.work.due_at)}"
        return f"{does or 'another look'}, {when}"
    return does


def doing(each: Look) -> str:
    """What the plan would do with this pair; "" for nothing, also for an unlink where no link is left."""
    from syncd.core.actions import Unlink

    if isinstance(each.action, Unlink) and (each.link is None or each.link.external_id is None):
        return ""
    return described(each.action)


def described(action: Action | None) -> str:
    """An action of `core.plan` in a few words; "" where there is nothing to do."""
    from syncd.core.actions import Adopt, Create, Exchange, Park, Reject, Remove, Unlink, Wait

    match action:
        case Create(values):
            return f"create the customer at the provider ({len(values)} fields)"
        case Adopt(remote, own):
            return f"link the record {remote.external_id}" + (", which our lost create made" if own else "")
        case Exchange():
            parts = [("push", action.push), ("pull", action.pull), ("ask a person about", action.review)]
            return "; ".join(f"{verb} {', '.join(sorted(names))}" for verb, names in parts if names)
        case Park(_, reason) | Reject(_, reason):
            return f"nothing: {reason}"
        case Remove(_, how):
            return f"{how.value} the record at the provider"
        case Unlink(reason):
            return f"forget the link: {reason}"
        case Wait(why):
            return {"adopt": "nothing before `syncd adopt`"}.get(why, "look again later")
        case _:
            return ""


def _json(
    key: str, customer: Customer | None, looks: list[Look], history: list[Event], *, values: bool
) -> dict[str, Any]:
    from syncd.cli.naming import about, whom
    from syncd.core.doubts import doubts
    from syncd.status.shape import iso

    return {
        "schema": 1,
        "customer_key": whom(key, asked=values),
        "in_source": customer is not None,
        "doubts": doubts(customer.values) if customer is not None else {},
        "providers": [_provider_json(each, history, key, values=values) for each in looks],
        "events": [
            {
                "at": iso(e.at),
                "provider": e.provider,
                "event": e.event,
                "fields": list(e.fields),
                "detail": about(e.detail, key, asked=values),
            }
            for e in history
        ],
    }


def _provider_json(each: Look, history: list[Event], key: str, *, values: bool) -> dict[str, Any]:
    from syncd.cli.naming import about
    from syncd.status.shape import iso

    word, reason, command = verdict(each, history)
    shown: dict[str, Any] = {}
    no_record = each.facts is not None and each.facts.remote is None  # as in `field_rows`
    for name, decision in each.decisions.items() if not no_record else ():
        shown[name] = {"verdict": decision.verdict.value, "reason": decision.reason}
        if values and each.facts is not None:
            there = each.facts.remote.values if each.facts.remote is not None else {}
            shown[name] |= {"source": (each.facts.source or {}).get(name), "provider": there.get(name)}
    return {
        "provider": each.provider,
        "condition": each.condition,
        "state": word,
        "reason": about(reason, key, asked=values),
        "external_id": each.link.external_id if each.link is not None else None,
        "external_ids": dict(each.link.external_ids) if each.link is not None else {},
        "asked": each.facts is not None,
        "silence": each.silence,
        "fields": shown,
        "next": doing(each),
        "next_at": iso(each.work.due_at) if each.work is not None else None,
        "reviews": [item.id for item in each.reviews],
        "command": about(command, key, asked=values),
    }
