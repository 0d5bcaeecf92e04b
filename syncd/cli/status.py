"""`syncd status`: what is wrong now, and the command that mends it. `syncd status-page`: the same from log lines."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.cli.exits import Exit
from syncd.cli.options import config_option, json_option, print_json, settings_for, table


@click.command()
@config_option
@json_option
@click.option(
    "--ready", is_flag=True, help="Print nothing; exit 0 while changes are captured and state and source answer."
)
def status(config: Path | None, *, as_json: bool, ready: bool) -> None:
    """What is wrong now, and the command that mends it.

    Exit code: 0 all in order, 4 some customers will be retried, 5 something waits for a person, 6 safety stop,
    7 something is unreachable or refuses us.
    """
    from syncd.bootstrap import survey_settings
    from syncd.cli import shown
    from syncd.status.remedies import SOURCE
    from syncd.status.report import as_json as shape

    report = survey_settings(settings_for(config))
    if ready:
        raise Exit(SOURCE[report.capture].code)
    if as_json:
        print_json(shape(report))
        raise Exit(report.exit_code)
    click.echo(shown.headline(report))
    table(shown.COLUMNS, shown.provider_rows(report), right=shown.NUMBERS)
    if report.problems:
        click.echo()
        for line in shown.problem_lines(report.problems, report.problems_total):
            click.echo(line)
    raise Exit(report.exit_code)


@click.command("status-page")
@click.argument("logs", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write here instead of stdout.")
@click.option("--exit-code", is_flag=True, help="Leave with the exit code that the page's status has.")
def status_page(logs: tuple[Path, ...], output: Path | None, *, exit_code: bool) -> None:
    """A status page from log lines alone: from LOGS, or from stdin. Needs neither settings nor state."""
    from syncd.status import page

    code = page.write(logs, output)
    raise Exit(code if exit_code else 0)
