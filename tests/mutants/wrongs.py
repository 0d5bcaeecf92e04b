"""The list: file of the core, what stands there, and what a tired hand might have written instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wrong:
    """One textual change; `old` occurs exactly once in the file."""

    module: str
    old: str
    new: str


WRONGS: tuple[Wrong, ...] = (
    # merge: what wins
    Wrong("merge", "if not theirs:", "if theirs:"),
    Wrong("merge", "if not ours and not theirs:", "if not theirs:"),
    Wrong("merge", "if facts.direction is Direction.OFF:", "if facts.direction is Direction.PULL:"),
    Wrong("merge", "if base is not None and base.frozen and facts.decision is None:", "if False:"),
    Wrong(
        "merge",
        'Decision(Verdict.SETTLE, "equal") if facts.equal else Decision(Verdict.REVIEW, "frozen")',
        'Decision(Verdict.REVIEW, "frozen")',
    ),
    Wrong("merge", "provider.digest in facts.late and (base is None or provider.digest != base.provider)", "False"),
    Wrong("merge", "(base is None or provider.digest != base.provider)", "True"),
    Wrong(
        "merge",
        "source.digest == facts.base.source and not _superseded(facts, source)",
        "source.digest == facts.base.source",
    ),
    Wrong("merge", "return bool(facts.sent - {source.digest})", "return bool(facts.sent)"),
    Wrong("merge", "if not facts.fill and not", "if facts.fill and not"),
    Wrong(
        "merge",
        'if facts.composed else Decision(Verdict.PULL, "decided")',
        'if False else Decision(Verdict.PULL, "decided")',
    ),
    Wrong("merge", "Verdict.REVIEW if asks else Verdict.PULL", "Verdict.PULL"),
    Wrong("merge", "Verdict.KEEP if facts.composed else Verdict.REVIEW", "Verdict.PUSH"),
    Wrong("merge", 'Decision(Verdict.SETTLE, "composed")', 'Decision(Verdict.KEEP, "composed")'),
    Wrong("merge", "Policy.REVIEW if _superseded(facts, source) else facts.policy", "facts.policy"),
    Wrong("merge", "(facts.unsettled and source.digest in facts.sent)", "facts.unsettled"),
    Wrong("merge", "or (base.provisional and not ours)", "or base.provisional"),
    Wrong("merge", "was_sent and not seen_whole", "was_sent"),
    Wrong("merge", "seen_whole = base.shown and not ours", "seen_whole = base.shown"),
    Wrong("merge", "base.provisional and base.shown and facts.degraded", "base.provisional and base.shown"),
    Wrong("merge", "(base.provisional and ours) or mended", "(base.provisional and ours)"),
    Wrong("merge", "if facts.degraded and was_sent and not", "if facts.degraded and not"),
    Wrong("merge", "or base.disputed or (base.provisional and ours)", "or base.disputed"),
    Wrong("merge", "or base.disputed or (base.provisional and ours)", "or (base.provisional and ours)"),
    Wrong("merge", "_superseded(facts, source) or base.disputed", "base.disputed"),
    Wrong("merge", "if not ours and not facts.unsettled:", "if False:"),
    Wrong("merge", "Verdict.PULL if facts.tie is Tie.OURS else Verdict.PUSH", "Verdict.PUSH"),
    Wrong("merge", "facts.direction is Direction.PULL or facts.tie is Tie.REVIEW", "facts.tie is Tie.REVIEW"),
    Wrong("merge", "Verdict.PUSH if policy is Policy.SOURCE else Verdict.PULL", "Verdict.PUSH"),
    # plan: what becomes of a pair
    Wrong("plan", "if facts.remote.archived:", "if False:"),
    Wrong("plan", "len(facts.found) > 1 or len(ours) != len(facts.found)", "len(facts.found) > 1"),
    Wrong("plan", "if facts.holder is not None:", "if facts.holder is not None and not facts.create_anyway:"),
    Wrong("plan", "    if facts.found:\n", "    if facts.found and not facts.create_anyway:\n"),
    Wrong("plan", "if not facts.rules.adopted and not facts.create_anyway:", "if False:"),
    Wrong("plan", "if facts.key_alive:", 'if facts.key_alive and facts.ordered != "remove":'),
    Wrong(
        "plan", "facts.found[0] if sure and facts.found[0].external_id not in facts.claimed", "facts.found[0] if sure"
    ),
    Wrong("plan", "sure = facts.rules.repeatable or holds_what_was_sent(facts, facts.found[0])", "sure = True"),
    Wrong("plan", "if not facts.rules.repeatable and facts.ordered", "if False and facts.ordered"),
    Wrong("plan", "if remote is None and any(", "if False and any("),
    Wrong("recognition", "if not known and not any(", "if not known and (True or any"),
    Wrong("recognition", "bool(agreed & PROVING) and not contradicted", "bool(agreed & PROVING)"),
    Wrong("recognition", "len(contradicted) < len(agreed)", "len(contradicted) <= len(agreed)"),
    Wrong("recognition", "not in {entry.provider, *late.get(name, ())}", "not in {entry.provider}"),
    Wrong("verdicts", "if entry is None or entry.frozen or", "if entry is None or"),
    Wrong("verdicts", "and digest(name, there) == entry.provider", ""),
    Wrong("verdicts", "if name not in asked and _unmoved(facts, name) else", "if _unmoved(facts, name) else"),
    Wrong("verdicts", "if _left_alone(facts, name) else Decision", "if False else Decision"),
    Wrong("verdicts", "return facts.rulings[name].shown == now", "return facts.rulings[name].shown[0] == now[0]"),
    Wrong("verdicts", "if i.verb in OUTWARD and name in i.fields", "if name in i.fields"),
    Wrong("verdicts", "for i in writes if i.stage is Stage.OPEN or facts.rules.echoes)", "for i in writes)"),
    Wrong("verdicts", "unsettled=any(intent.stage is Stage.OPEN for intent in writes)", "unsettled=False"),
    Wrong("verdicts", 'if name == "number" and not facts.rules.renumbers:', 'if name == "number":'),
    Wrong("verdicts", 'if facts.link is None or "number" not in facts.link.base:', "if False:"),
    Wrong("plan", "Unlink(LEFT_OUT, tombstone=False", "Unlink(LEFT_OUT, tombstone=True"),
    Wrong("plan", "if facts.left_out and not", "if facts.create_anyway and not"),
    Wrong("plan", "known = len(ours) == 1 and len(facts.found) == 1 and", "known = bool(ours) and"),
    Wrong("plan", "and ours[0].external_id in facts.under_tombstone", ""),
    Wrong("recognition", "names = known & set(IDENTIFYING) or known - SHARED", "names = known - SHARED"),
    Wrong("recognition", "if facts.source is not None else facts.row\n    known = {", "or {}\n    known = {"),
    Wrong("recognition", "stayed & (NAMES | {", "stayed & ({'number'} | {"),
    Wrong("recognition", "or known - SHARED - TELLS_NOTHING or known", "or known"),
    # writes: what our own writes explain
    Wrong("writes", "if intent.verb in OUTWARD:", "if True:"),
    Wrong("writes", "filter(None, (sent.before, sent.sent))", "(sent.sent,)"),
    Wrong("writes", "i.verb is Verb.CREATE and i.stage is Stage.OPEN", "i.verb is Verb.CREATE"),
    Wrong("writes", "here, there = digest(name, source[name]),", "here, there = digest(name, stored.get(name)),"),
    Wrong("writes", "digest(name, stored[name]) if name in stored else None", "digest(name, source[name])"),
    Wrong("writes", "return None if came_back else (last.source", "return (last.source"),
    Wrong("writes", 'ours = reason == "source-changed" and', 'ours = reason != "provider-changed" and'),
    Wrong("writes", "there.digest == entry.earlier[1]", "there.digest == entry.earlier[0]"),
    # guards: how much may happen
    Wrong("guards", "max(NEVER_BELOW, int((limit.share or 0.0) * total))", "int((limit.share or 0.0) * total)"),
    Wrong("guards", "return spent + more > limit.count", "return spent + more >= limit.count"),
    Wrong("guards", "value is None and before.get(name) is not None", "value is None"),
    Wrong("guards", ">= 3\n\n", ">= 4\n\n"),
    Wrong("guards", "if move.provider == coming.provider]", "]"),
    Wrong("guards", "coming.at - move.at <= BRAKE_WINDOW", "True"),
    Wrong("guards", "_reversals(own) >= REVERSALS or _reversals(pulls) >= REVERSALS", "_reversals(own) >= REVERSALS"),
    Wrong("guards", "_filled(one.get(name)) and one.get", "name in one and one.get"),
    Wrong("guards", "return tuple(sorted(set(pulls)))", "return ()"),
    # normalise, digest, backoff
    Wrong("normalise", 'unicodedata.normalize("NFC", raw).strip() or None', "raw.strip() or None"),
    Wrong(
        "normalise", 'unicodedata.normalize("NFC", raw).strip() or None', 'unicodedata.normalize("NFC", raw).strip()'
    ),
    Wrong("normalise", "+ hash_sign + re.sub", "+ re.sub"),
    Wrong("normalise", "_LETTER.search(value) or not any(", "not any("),
    Wrong(
        "normalise",
        "plain_sent.startswith(plain_stored) if plain_stored else not plain_sent",
        "plain_sent.startswith(plain_stored)",
    ),
    Wrong("normalise", 'return _BLANKS.sub("", value).upper()', "return value.upper()"),
    Wrong("normalise", 'unicodedata.normalize("NFKC", value).upper())', 'unicodedata.normalize("NFKC", value))'),
    Wrong("digest", "_head(field, type(plain).__name__) + _framed", '_head(field, "") + _framed'),
    Wrong("digest", 'len(raw).to_bytes(4, "big") + raw', "raw"),
    Wrong("digest", "plain, message = canonical(value), begun.copy()", "plain, message = value, begun.copy()"),
    Wrong("digest", "plain, message = canonical(value), begun.copy()", "plain, message = canonical(value), begun"),
    Wrong("digest", "_framed(provider) + _framed(provider_key)", "_framed(provider)"),
    Wrong("digest", "known[field, value] =", "known[field, None] ="),
    Wrong("backoff", "max(attempts - 1, 0)", "attempts"),
    Wrong("backoff", "(0.5 + 0.5 * jitter)", "jitter"),
    Wrong("backoff", "min(max(seconds, 1.0), 3600.0)", "max(seconds, 1.0)"),
)
