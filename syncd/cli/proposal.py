"""The text of the commented `syncd.toml` that `syncd init` writes for a proposal, and the lines that it prints about
the columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.cli.output import visible

if TYPE_CHECKING:
    from syncd.core.selection import Condition, Join
    from syncd.source.proposing import Proposal
    from syncd.source.survey import ColumnFacts

SHOWN = 3  # examples of a column
PLAIN = frozenset({"country", "language", "active", "state", "salutation", "title"})  # their values name no person


def seen(proposal: Proposal, *, examples: bool) -> Iterator[str]:
    """One line for each field: its column, how many rows have a value, and with `examples` some values, masked."""
    for field, column in proposal.fields.items():
        facts, looked = proposal.seen[field], proposal.sampled[field]
        share = "" if facts.filled == looked else f"{facts.filled} filled" if facts.filled else "empty"
        shown = f"{len(facts.values)} different: {_examples(field, facts)}" if examples and facts.values else ""
        yield f"  {field:16} <- {column:24} {share:12} {shown}".rstrip()


def _examples(field: str, facts: ColumnFacts) -> str:
    words = list(facts.values)[:SHOWN]
    return ", ".join(words if field in PLAIN else [masked(word) for word in words])


def masked(word: str) -> str:
    """The shape of a value without the value: its first character, then # for digits and * for letters."""
    shape = "".join("#" if c.isdigit() else "*" if c.isalpha() else c for c in word[1:24])
    return ("#" if word[:1].isdigit() else word[:1]) + shape


def settings_text(url: str, reference: str, proposal: Proposal, output: Path) -> str:
    """The text of the file. Names and values from the database stand in it as quoted strings or in comments, control
    characters escaped."""
    from syncd.core.model import FIELDS

    mapped = [f"{name} = {quoted(proposal.fields[name])}" for name in FIELDS if name in proposal.fields]
    doubtful = [
        f"# {name} = {quoted(proposal.doubts[name].column)}   # {visible(proposal.doubts[name].doubt)}"
        for name in FIELDS
        if name in proposal.doubts
    ]
    others = [f'# {name} = ""' for name in FIELDS if name not in {*proposal.fields, *proposal.doubts}]
    return _TEMPLATE.format(
        url=quoted(url),
        password=f"password = {quoted(reference)}" if reference else '# password = "credential:source-password"',
        table=quoted(proposal.name),
        key=quoted(proposal.key),
        write="true " if proposal.write else "false",
        beside="\n".join(_beside(proposal)),
        fields="\n".join([*mapped, *doubtful, *others]),
        values="\n".join(_values(proposal.values)),
        state=quoted(f"sqlite:///{output.resolve().parent / 'state.db'}"),
        providers="\n".join([_PROVIDERS, *_brought()]),
    )


def _brought() -> Iterator[str]:
    """Commented tables for the providers that other packages bring; the keys of their own are not known here."""
    from syncd.settings.load import installed

    for name in installed():
        if f"# [providers.{name}]" not in _PROVIDERS:
            yield f'# [providers.{name}]\n# url = "https://..."     # its package says which other keys it needs\n'


def quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name, re.ASCII) else quoted(name)


def _beside(proposal: Proposal) -> Iterator[str]:
    """What stands between the table and its fields: remarks, watched tables, joins, filters."""
    for note in proposal.notes:
        yield f"# {visible(note)}."
    if proposal.is_view:
        yield from _watch(proposal)
    for join in proposal.joins:
        yield from _join(join, doubtful=join.name in proposal.doubtful)
    if proposal.where or proposal.choices:
        yield "# which rows are customers; nobody else ever leaves this database"
        yield f"{'' if proposal.where else '# '}[source.where]"
        yield from (f"{_key(column)} = {_condition(condition)}" for column, condition in proposal.where.items())
        for column, values in proposal.choices.items():
            found = visible(", ".join(values))
            yield f"# {_key(column)} = {_listed(values[:1])}   # it holds {found}: one shop, or all?"
    if proposal.deleted is not None:
        yield "# rows that count as deleted\n[source.deleted]"
        yield f"column = {quoted(proposal.deleted.column)}\nvalues = {_listed(proposal.deleted.values)}"


def _watch(proposal: Proposal) -> Iterator[str]:
    yield "# A view has no triggers of its own: the tables under it have them, the customers' own first."
    mark = "" if proposal.watch else "# "
    for table, key in proposal.watch or (("the customers' table", proposal.key),):
        yield f"{mark}[[source.watch]]\n{mark}table = {quoted(table)}\n{mark}key = {quoted(key)}"


def _join(join: Join, *, doubtful: bool) -> Iterator[str]:
    mark = "# " if doubtful else ""
    if doubtful:
        yield f'# {visible(join.table)} has several rows for some customers: narrow "where", then take the # away.'
    yield f"{mark}[[source.join]]"
    yield f"{mark}name = {quoted(join.name)}"
    yield f"{mark}table = {quoted(join.table)}"
    on = ", ".join(f"{_key(own)} = {quoted(other)}" for own, other in join.on.items())
    yield f"{mark}on = {{ {on} }}"
    if join.where:
        where = ", ".join(f"{_key(column)} = {_condition(each)}" for column, each in join.where.items())
        yield f"{mark}where = {{ {where} }}"
    if not join.write:
        yield f"{mark}write = false              # many customers share a row: its fields are push-only"


def _condition(condition: Condition) -> str:
    if condition.null and not condition.values:
        return '"null"'
    return quoted(condition.values[0]) if len(condition.values) == 1 else _listed(condition.values)


def _listed(values: tuple[str, ...]) -> str:
    return f"[{', '.join(quoted(value) for value in values)}]"


def _values(values: Mapping[str, Mapping[str, tuple[str, ...]]]) -> Iterator[str]:
    for field, entries in values.items():
        yield "# canonical value = what the column holds; a value that is not named here is never sent"
        yield f"[source.values.{field}]"
        yield from (f"{_key(known)} = {_listed(words)}" for known, words in entries.items())
        yield ""


_TEMPLATE = """# syncd.toml, proposed by `syncd init`. `syncd doctor` names everything that is wrong with it.
# A secret never stands here; write "credential:NAME", "file:/PATH" or "env:NAME".

[source]
url = {url}
{password}
table = {table}
key = {key}
change_log = "triggers"    # triggers | snapshot (PostgreSQL, account may only read) | updated_at (not loss-free)
write = {write}              # false: what changes at a provider becomes a review item
{beside}
# canonical field = column; a field that is not listed is never read and never sent
[source.fields]
{fields}

{values}
[state]
url = {state}
# key = "credential:state-key"   # at least 32 characters; without it one is made beside the SQLite file

# [guards]                 # beyond these, operations wait for a person
# update = "50%/24h"
# delete = "2%/24h"
# blank = "1%/24h"
# overwrite = "5%/24h"
# create = "20%/24h"

{providers}"""

_PROVIDERS = """# The providers you use; earlier ones win when two change the same value.
# Nothing is created before `syncd match` and `syncd adopt`, unless create = "always".

# [providers.billbee]
# url = "https://api.billbee.io"
# api_key = "credential:billbee-api-key"
# user = "shop@example.com"
# password = "credential:billbee-password"
# languages = { de = 1, en = 2 }

# [providers.aiotic]
# url = "https://acme.aiotic.ai"
# api_key = "credential:aiotic"

# [providers.invisible_collector]
# url = "https://api.invisiblecollector.com"
# token = "credential:invisible-collector"
# default_locale = "en"
# default_country = "PT"

# [providers.azotte]
# url = "https://acme.azotte.com"
# api_key = "credential:azotte"
# tenant = "e2a1c7b2-0000-4000-8000-000000000000"
# default_country = "DE"
# default_language = "de"

# [providers.jtl]
# mode = "cloud"
# url = "https://api.jtl-cloud.com/erp"
# token_url = "https://auth.jtl-cloud.com/oauth2/token"
# client_id = "your-client-id"
# client_secret = "credential:jtl"
# tenant_id = "00000000-0000-4000-8000-000000000001"
# customer_group_id = 1
# internal_company_id = 1
# default_language = "DE"
# default_country = "DE"
"""
