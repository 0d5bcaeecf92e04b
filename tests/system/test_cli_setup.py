"""`triggers`, `db`, `doctor`, `init` and the bad input that people really give."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.cli import main
from syncd.source.guess import match_columns
from tests.databases import database
from tests.system.landscape import landscape
from tests.system.test_sixth_provider import with_example


def test_missing_triggers_stop_a_run_before_anything(tmp_path: Path) -> None:
    """Without triggers changes are lost: exit 2 with the command, no request, and status and doctor agree."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        assert land.said("triggers", "remove", "--yes").code == 0
        for words in (("run-once",), ("sync", "1"), ("triggers", "check"), ("doctor",)):
            answer = land.said(*words)
            assert answer.code == 2, words
            assert "syncd triggers install" in answer.err + answer.out
        assert land.requests("aiotic") == 1  # doctor's one call
        assert "already" not in land.said("triggers", "install").out
        assert "already installed" in land.said("triggers", "install").out
        assert land.said("run-once").code == 0


def test_an_altered_trigger_is_found(tmp_path: Path) -> None:
    """A trigger that somebody dropped is named, and nothing runs; installing again mends exactly that."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        name = land.sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")[0][0]
        land.sql(f"DROP TRIGGER {name}")
        answer = land.said("triggers", "check", "--json")
        assert answer.code == 2
        assert name in answer.data["problems"][0]
        assert land.said("run-once").code == 2
        assert land.requests("aiotic") == 0
        assert land.said("triggers", "install").code == 0
        assert land.said("triggers", "check").code == 0


@pytest.mark.parametrize("mended", ["install", "by hand"])
def test_what_changed_without_triggers_goes_out(tmp_path: Path, mended: str) -> None:
    """An edit made while a trigger was missing goes out once the triggers are back, whoever brought them back."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        assert land.said("run-once").code == 0
        name, text = land.sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%update'")[0]
        land.sql(f"DROP TRIGGER {name}")
        land.sql("UPDATE customers SET city = 'Unseen' WHERE id = 1")
        assert land.said("run-once").code == 2
        if mended == "install":
            assert land.said("triggers", "install").code == 0
        else:
            land.sql(text)
        assert land.said("run-once").code == 0
        cities = [record["city"] for record in land.server.twins["aiotic"].records.values()]
        assert cities.count("Unseen") == 1


def test_removing_asks_where_nobody_can_answer(tmp_path: Path) -> None:
    """Without a terminal and without --yes nothing is removed."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        assert land.said("triggers", "remove").code == 2
        assert land.said("triggers", "check").code == 0


def test_print_sql_changes_nothing_and_can_be_run(tmp_path: Path) -> None:
    """The printed SQL is what a DBA can run by hand: afterwards the check finds everything in order."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        removal = land.said("triggers", "remove", "--print-sql").out
        assert land.said("triggers", "check").code == 0
        script = land.said("triggers", "install", "--print-sql").out
        with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
            shop.executescript(removal)
            shop.executescript(script)
        assert land.said("triggers", "check").code == 0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('table = "customers"', 'table = "custommers"', 'Did you mean "customers"'),
        ('email = "email"', 'email = "e_mail"', 'Did you mean "email"'),
        ('key = "id"', 'key = "ident"', "ident"),
        ("settle =", "setle =", "Did you mean settle"),
        ('api_key = "file:', 'api_key = "', "must not hold the secret"),
        ("[providers.aiotic]", '[guards]\nupdate = "lots"\n[providers.aiotic]', "50%"),
    ],
)
def test_wrong_settings_are_named_with_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    """A wrong name, value or secret ends with 2 before anything is asked of anybody, and says what was meant."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        text = land.config.read_text()
        if says == "50%":
            says = "guard"
        land.config.write_text(text.replace(old, new, 1))
        answer = land.said("run-once")
        assert answer.code == 2
        assert says in answer.err
        assert land.requests("aiotic") == 0
        assert not (tmp_path / "state.db").exists() or "source." in answer.err


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Three mistakes give three lines, not three rounds."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.change('key = "id"', "key = 5")
        land.change('lease = "30s"', 'lease = "soon"')
        land.change('rate = "off"', 'rate = "fast"')
        answer = land.said("doctor")
        assert answer.code == 2
        assert "3 problems" in answer.err


def test_an_unreachable_source_is_7_and_status_still_shows_the_rest(tmp_path: Path) -> None:
    """The shop's database is away: runs leave with 7, the status shows what the state knows, doctor names it."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.said("run-once")
        (tmp_path / "shop.db").rename(tmp_path / "gone.db")
        assert land.said("run-once").code == 7
        answer = land.said("status", "--json")
        assert (answer.code, answer.data["source"]["capture"]) == (7, "unreachable")
        assert answer.data["providers"][0]["linked"] == 5
        assert land.said("status", "--ready").code == 7
        doctor = land.said("doctor", "--json")
        assert doctor.code == 7
        assert [c["check"] for c in doctor.data["checks"] if not c["ok"]] == ["source"]


def test_an_unreachable_postgresql_is_7_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that nobody runs: exit 7, and neither password nor driver text is shown."""
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2-hunter2")
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.change(
            f'url = "sqlite:///{tmp_path / "shop.db"}"',
            'url = "postgresql+psycopg://shop@127.0.0.1:1/shop"\npassword = "env:SHOP_PASSWORD"',
        )
        answer = land.said("run-once")
        assert answer.code == 7
        assert "hunter2" not in answer.out + answer.err


def test_doctor_finds_everything_in_order(tmp_path: Path) -> None:
    """All five providers answer, triggers and state are in order: exit 0, one call at each."""
    names = ("aiotic", "invisible_collector", "jtl", "billbee", "azotte")
    with landscape(tmp_path, 5, names) as land:
        land.said("run-once")
        answer = land.said("doctor", "--json")
        assert answer.code == 0, answer.out
        assert {check["check"] for check in answer.data["checks"]} >= {
            "settings",
            "source",
            "triggers",
            "state",
            *names,
        }
        (tmp_path / "state.db.key").chmod(0o644)
        assert "chmod 0600" in land.said("doctor").out


def test_a_doubtful_value_is_named_and_sent(tmp_path: Path) -> None:
    """A check digit that does not fit is a warning in `doctor` and `explain`, and blocks nothing."""
    with landscape(tmp_path, 2, ("aiotic",)) as land:
        land.sql("UPDATE customers SET vat_number = 'DE13669597' || (id + 5)")
        answer = land.said("doctor")
        assert answer.code == 0
        assert "vat_number looks wrong in 1 of 2: 2\n" in answer.out
        assert land.said("run-once").code == 0
        assert land.server.twins["aiotic"].records["1002"]["vat_number"] == "DE136695977"
        assert "vat_number: has a check digit that does not fit" in land.said("explain", "2").out
        assert set(land.said("explain", "2", "--json").data["doubts"]) - {"phone"} == {"vat_number"}
        assert "vat_number" not in land.said("explain", "1", "--json").data["doubts"]


def test_sigterm_ends_a_run_in_order(tmp_path: Path) -> None:
    """SIGTERM in the middle of a long run: what is under way ends, the rest stays due, exit 4."""
    with landscape(tmp_path, 40, ("aiotic",)) as land:
        land.change('rate = "off"', 'rate = "10/s"')
        command = [sys.executable, "-m", "syncd", "run-once", "--config", str(land.config)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            while land.requests("aiotic") < 8 and process.poll() is None:
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGTERM)
            out, _ = process.communicate(timeout=90)
        assert process.returncode == 4, out
        assert "still due" in out
        done = len(land.server.twins["aiotic"].records)
        assert 0 < done < 40
        land.change('rate = "10/s"', 'rate = "off"')
        assert land.said("run-once").code == 0
        assert len(land.server.twins["aiotic"].records) == 40


# -- init -----------------------------------------------------------------------------------------------------------


def init(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """`syncd init` without a terminal."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["init", *words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql"])
def test_init_proposes_a_german_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """German column names in any of the databases become a mapping; the file is 0640, has no password, is never
    overwritten, and loads once a provider is filled in."""
    with database(dialect, tmp_path) as url:
        engine = sa.create_engine(url)
        with engine.begin() as conn:
            conn.exec_driver_sql(
                "CREATE TABLE kunden (id integer primary key, kundennr varchar(20), firma varchar(80),"
                " email varchar(80),"
                " telefon varchar(40), strasse varchar(80), plz varchar(10), ort varchar(80), land varchar(2),"
                " ustid varchar(20), geburtsdatum date)"
            )
            conn.exec_driver_sql("CREATE TABLE newsletter (id integer primary key, email varchar(80))")
            conn.exec_driver_sql("INSERT INTO kunden (id, kundennr, email) VALUES (1, '1', 'geheim@example.com')")
        engine.dispose()
        output = tmp_path / "syncd.toml"
        code, out, err = init(capsys, "--source", url, "--output", str(output))
        assert code == 0, err
        assert "geheim" not in out
        assert stat.S_IMODE(output.stat().st_mode) == 0o640
        written = tomllib.loads(output.read_text(encoding="utf-8"))
        assert written["source"]["table"] == "kunden"
        assert written["source"]["fields"] == {
            "number": "kundennr", "name": "firma", "email": "email", "phone": "telefon", "street": "strasse",
            "postal_code": "plz", "city": "ort", "country": "land", "vat_number": "ustid",
            "birth_date": "geburtsdatum",
        }  # fmt: skip
        code, _, err = init(capsys, "--source", url, "--output", str(output))
        assert (code, "exists" in err) == (2, True)


def test_init_leaves_a_choice_to_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two tables that look alike are listed, not guessed; --table decides; a wrong one gets a "did you mean"."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as shop, shop:
        for name in ("customers", "clients"):
            shop.execute(f"CREATE TABLE {name} (id integer primary key, name text, email text, phone text, city text)")
    url, output = f"sqlite:///{path}", tmp_path / "syncd.toml"
    code, out, err = init(capsys, "--source", url, "--output", str(output))
    assert (code, output.exists()) == (2, False)
    assert "clients" in out
    assert "--table clients" in err
    code, _, err = init(capsys, "--source", url, "--table", "client", "--output", str(output))
    assert (code, 'Did you mean "clients"' in err) == (2, True)
    assert init(capsys, "--source", url, "--table", "clients", "--output", str(output))[0] == 0


def test_init_keeps_passwords_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A password typed into the URL is used but never written or shown; without a server the exit code is 7."""
    output = tmp_path / "syncd.toml"
    code, out, err = init(capsys, "--source", "postgresql://shop:hunter2@127.0.0.1:1/x", "--output", str(output))
    assert code == 7
    assert "hunter2" not in out + err
    assert init(capsys, "--output", str(output))[0] == 2
    assert init(capsys, "--source", "sqlite:////x", "--password", "hunter2", "--output", str(output))[0] == 2


@pytest.mark.parametrize(
    ("form", "ends"),
    [("{user}:hunter2@{where}", 0), ("{user}:hunter%32@{where}", 0), ("{user}@{where}?password=hunter2", 0),
     ("{user}:a@{where}?passfile=hunter2&PASSWORD=hunter2", 0), ("{user}:x@hunter2/:@{where}", 2),
     ("{user}:x@hunter2@{where}", 2)],
)  # fmt: skip
def test_init_writes_no_password_in_any_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, ends: int
) -> None:
    """Wherever in the URL somebody typed a password: the file and what is shown hold none of it, and where nobody can
    tell what is password there is no file."""
    with database("postgresql", tmp_path) as url:
        engine = sa.create_engine(url)
        with engine.begin() as conn:
            conn.exec_driver_sql("CREATE TABLE kunden (id integer primary key, firma text, email text, ort text)")
        engine.dispose()
        made, output = sa.make_url(url), tmp_path / "syncd.toml"
        source = form.format(user=made.username, where=f"{made.host}:{made.port}/{made.database}")
        code, out, err = init(capsys, "--source", f"postgresql://{source}", "--output", str(output))
        assert code == ends, err
        assert output.exists() == (ends == 0)
        written = output.read_text(encoding="utf-8") if output.exists() else 'password = "env:SYNCD_SOURCE_PASSWORD"'
        assert "hunter" not in written + out + err
        assert 'password = "env:SYNCD_SOURCE_PASSWORD"' in written


def test_init_says_what_key_would_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key of two columns, or none: which, and that a generated column or a view with one key column serves."""
    path, output = tmp_path / "shop.db", tmp_path / "syncd.toml"
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute("CREATE TABLE kunden (mandant int, nr int, firma text, email text, ort text,"
                     " PRIMARY KEY (mandant, nr))")  # fmt: skip
        shop.execute("CREATE TABLE clients (firma text, email text, ort text)")
    for table, words in (("kunden", "2 columns (mandant, nr)"), ("clients", "no primary key")):
        code, _, err = init(capsys, "--source", f"sqlite:///{path}", "--table", table, "--output", str(output))
        assert (code, output.exists()) == (2, False)
        assert words in err
        assert "generated column" in err
        assert "view with one key column" in err


def test_guess_knows_its_languages() -> None:
    """English, German, Dutch, French, Spanish and Portuguese names find their fields; a column serves one field."""
    assert match_columns(["prénom", "nom", "code_postal", "ville", "pays"])["postal_code"] == "code_postal"
    assert match_columns(["razón_social", "teléfono", "población", "país"])["country"] == "país"
    assert match_columns(["razao_social", "telemóvel", "morada", "cidade"])["mobile"] == "telemóvel"
    assert match_columns(["CustomerNo", "Company", "Zip", "E-Mail"]) == {
        "number": "CustomerNo", "name": "Company", "email": "E-Mail", "postal_code": "Zip",
    }  # fmt: skip
    assert match_columns(["Straße", "PLZ", "Ort", "USt-IdNr"])["vat_number"] == "USt-IdNr"
    assert match_columns(["klantnr", "naam", "postcode", "woonplaats", "btw_nummer"])["city"] == "woonplaats"
    columns = list(match_columns(["name", "name1", "number", "land"]).values())
    assert len(columns) == len(set(columns))


def test_sandbox_serves_settings_that_work(tmp_path: Path) -> None:
    """`syncd sandbox` prints provider tables that reach it with the credentials it wrote, and SIGTERM ends it."""
    command = [sys.executable, "-u", "-m", "syncd", "sandbox", "--port", "0", "--secrets", str(tmp_path / "secrets")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        while "Ctrl-C" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        tables = tomllib.loads(process.communicate(timeout=20)[0])
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert set(tables["providers"]) == {"aiotic", "invisible_collector", "jtl", "billbee", "azotte"}
    assert stat.S_IMODE((tmp_path / "secrets" / "aiotic").stat().st_mode) == 0o600


@pytest.mark.long
def test_what_the_demo_keeps_can_be_worked_with(tmp_path: Path) -> None:
    """`demo --keep` leaves an installation: its sandboxes start again with their customers, and a run finds no work. A
    sandbox that an installed package brings takes part in all of it."""
    kept, env = tmp_path / "demo", with_example(tmp_path / "site")
    words = [sys.executable, "-u", "-m", "syncd"]
    shown = subprocess.run(
        [*words, "demo", "--keep", str(kept), "--customers", "20"],
        env=env, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "five sandboxes, acme" in shown.stdout
    assert len(json.loads((kept / "sandboxes.json").read_text())["acme"]["records"]) == 21
    (line,) = [line for line in shown.stdout.splitlines() if "syncd sandbox" in line]
    sandbox = [*words, *line.rpartition("&& syncd ")[2].removesuffix(" &").split()]
    with subprocess.Popen(
        sandbox, cwd=kept, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            while "Ctrl-C" not in process.stderr.readline():
                assert process.poll() is None
            taken = subprocess.run(sandbox, cwd=kept, env=env, capture_output=True, text=True, check=False, timeout=60)
            ran = subprocess.run(
                [*words, "run-once", "--scan"],
                cwd=kept,
                env=env,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.fullmatch(r"(nothing to do|\d+ settled) \(.*\)", ran.stdout.strip())
    assert (taken.returncode, "next:  syncd sandbox --port 0" in taken.stderr) == (2, True), taken.stderr
