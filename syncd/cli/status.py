"""`syncd status`: what is wrong now, and the command that mends it."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.cli.exits import Exit
from syncd.cli.options import config_option, json_option, print_json, settings_for, table
from syncd.cli.output import echo


@click.command()
@config_option
@json_option
@click.option(
    "--ready", is_flag=True, help="Print nothing; exit 0 while a daemon lives and nothing keeps it from working."
)
def status(config: Path | None, *, as_json: bool, ready: bool) -> None:
    """What is wrong now, and the command that mends it.

    Exit code: 0 all in order, 2 triggers, settings or schema, 4 some customers will be retried, 5 something waits for a
    person, 6 safety stop, 7 something is unreachable or refuses us.
    """
    from syncd.bootstrap import survey_settings
    from syncd.cli import shown
    from syncd.cli.naming import shown_report
    from syncd.status.report import readiness
    from syncd.status.shape import as_json as shape

    report = shown_report(survey_settings(settings_for(config)))
    if ready:
        raise Exit(readiness(report))
    if as_json:
        print_json(shape(report))
        raise Exit(report.exit_code)
    echo(shown.headline(report))
    for line in shown.daemon_lines(report):
        echo(line)
    table(shown.COLUMNS, shown.provider_rows(report), right=shown.NUMBERS)
    if report.problems:
        echo()
        for line in shown.problem_lines(report.problems, report.problems_total):
            echo(line)
    raise Exit(report.exit_code)
