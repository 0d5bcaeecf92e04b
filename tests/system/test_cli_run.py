"""`run-once`, `sync`, `retry`, `pause`, `resume`, `status`, `explain` as a person uses them, against the sandboxes."""

from __future__ import annotations

from pathlib import Path

from syncd.bootstrap import installation
from syncd.sandbox.kit import Fault
from syncd.settings import load
from syncd.store.leases import lock_file
from tests.system.landscape import landscape
from tests.system.running import until


def test_first_run_then_silence(tmp_path: Path) -> None:
    """The first run creates everybody everywhere and says so in one line; the second writes nothing and says that."""
    with landscape(tmp_path, 5, ("aiotic", "billbee")) as land:
        first = land.said("run-once")
        assert (first.code, first.out.split(" (")[0]) == (0, "10 created")
        before = {name: twin.writes() for name, twin in land.server.twins.items()}
        second = land.said("run-once", "--json").data
        assert second["exit_code"] == 0
        assert second["problems"] == []
        assert before == {name: twin.writes() for name, twin in land.server.twins.items()}


def test_status_says_ok_only_when_it_is(tmp_path: Path) -> None:
    """Before the first run there is no state to report on; after it all is linked; no customer's data is shown."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        none = land.said("status")
        assert none.code == 2
        assert "syncd run-once" in none.err
        land.said("run-once")
        answer = land.said("status", "--json")
        assert (answer.code, answer.data["state"], answer.data["schema"]) == (0, "ok", 1)
        assert answer.data["providers"][0]["linked"] == 5
        assert answer.data["source"] == {"capture": "ok", "lag_s": None, "log_rows": 0}
        assert answer.data["last_run"]["mode"] == "run-once"
        assert "example.com" not in answer.out
        assert land.said("status", "--ready").code == 7  # nobody keeps it so: no daemon runs


def test_exit_4_while_something_is_tried_again(tmp_path: Path) -> None:
    """A failure that will be retried leaves 4, and the retry that succeeds leaves 0."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.change('backoff = "200ms"', 'backoff = "4s"')  # 2 s at least: no run without a wait takes so long
        land.said("run-once")
        land.server.twins["aiotic"].faults.add(Fault("status", status=503))
        land.sql("UPDATE customers SET name = 'Neu' WHERE id = 2")
        assert land.said("run-once", "--wait", "0").code == 4
        assert land.said("status").code == 4
        assert land.said("run-once", "--wait", "10s").code == 0
        assert land.said("status").code == 0


def test_exit_5_for_a_refused_customer(tmp_path: Path) -> None:
    """A customer that the provider's rules refuse is named with field and reason; the others are through; mending the
    row is enough."""
    with landscape(tmp_path, 5, ("jtl", "aiotic")) as land:
        land.sql("UPDATE customers SET city = NULL WHERE id = 3")
        answer = land.said("run-once")
        assert answer.code == 5
        assert "customer 3 rejected (city)" in answer.out
        assert "syncd explain 3" in answer.out
        assert len(land.server.twins["jtl"].records) == 4
        assert len(land.server.twins["aiotic"].records) == 5
        assert land.said("status").code == 5
        explained = land.said("explain", "1003")
        assert "rejected: city" in explained.out
        land.sql("UPDATE customers SET city = 'Kiel' WHERE id = 3")
        assert land.said("run-once").code == 0
        assert len(land.server.twins["jtl"].records) == 5


def test_a_422_is_the_customers_trouble_alone(tmp_path: Path) -> None:
    """A 422 parks its customer until it changes: no second request for it, and the rest goes on."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        # confirmed first: the confirming look at an older write would send once more what was refused meanwhile
        assert until(lambda: not land.said("run-once").code and land.recalled("SELECT count(*) FROM intent") == [(0,)])
        land.sql("UPDATE customers SET name = 'Neu' WHERE id IN (2, 3)")
        land.server.twins["aiotic"].faults.add(Fault("status", method="PUT", status=422))
        assert land.said("run-once").code == 5
        sent = len(land.server.twins["aiotic"].requests("PUT"))
        answer = land.said("run-once")
        assert (answer.code, "rejected" in answer.out) == (5, True)
        assert len(land.server.twins["aiotic"].requests("PUT")) == sent
        assert land.said("retry", "--failed").code == 0
        assert land.said("run-once").code == 0


def test_exit_6_in_the_run_that_trips_a_guard(tmp_path: Path) -> None:
    """More updates than the guard allows are held back: 6 in that run, 5 as long as they wait for a release."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.change("[state]", '[guards]\nupdate = "2/24h"\n[state]')
        land.said("run-once")
        land.sql("UPDATE customers SET name = name || ' II'")
        answer = land.said("run-once")
        assert answer.code == 6
        assert "guard" in answer.out
        again = land.said("status", "--json")
        assert again.code == 5
        assert again.data["guards"][0] == {
            "provider": "aiotic", "guard": "update", "used": 2, "limit": "2/24h", "staged": 3,
        }  # fmt: skip
        land.recalled("UPDATE work SET due_at = '2020-01-01 00:00:00.000000'")
        assert land.said("run-once").code == 5


def test_exit_6_when_the_source_was_restored(tmp_path: Path) -> None:
    """A fence that another state owns stops everything before a single request; status and doctor say the same."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.said("run-once")
        land.sql("UPDATE syncd_fence SET owner = 'somebody else'")
        before = land.requests("aiotic")
        stopped = land.said("run-once")
        assert (stopped.code, "syncd recover" in stopped.err) == (6, True)
        assert land.requests("aiotic") == before
        assert land.said("status", "--json").data["providers"][0]["state"] == "frozen"
        assert land.said("status").code == 6
        assert land.said("doctor").code == 6


def test_wrong_credentials_cost_one_call_and_stop_nobody_else(tmp_path: Path) -> None:
    """A provider that refuses our credentials gets exactly one call, whatever is due; the others go on; exit 7."""
    with landscape(tmp_path, 5, ("aiotic", "billbee")) as land:
        (tmp_path / "secrets" / "aiotic").write_text("0" * 40)
        answer = land.said("run-once")
        assert answer.code == 7
        assert land.requests("aiotic") == 1
        assert len(land.server.twins["billbee"].records) == 5
        assert "syncd doctor --provider aiotic" in answer.out
        assert (land.said("status").code, land.said("run-once").code) == (7, 7)
        assert land.requests("aiotic") == 1
        assert land.said("doctor", "--provider", "aiotic").code == 7


def test_new_credentials_end_the_block(tmp_path: Path) -> None:
    """With other credentials the next run goes on at once, without `resume`."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        right = (tmp_path / "secrets" / "aiotic").read_text()
        (tmp_path / "secrets" / "aiotic").write_text("0" * 40)
        assert land.said("run-once").code == 7
        (tmp_path / "secrets" / "aiotic").write_text(right)
        assert land.said("run-once").code == 0
        assert len(land.server.twins["aiotic"].records) == 5


def test_connections_that_end_under_writes_leave_one_outcome_open(tmp_path: Path) -> None:
    """A provider ends every kept connection just as we write on it: one customer waits for its settle time, the others
    get through, and nobody is there twice."""
    with landscape(tmp_path, 12, ("aiotic",), common="concurrency = 1\n") as land:
        land.change('settle = "1s"', 'settle = "180s"')
        land.change('timeout = "3s"', 'timeout = "10s"')
        twin = land.server.twins["aiotic"]
        twin.faults.add(Fault("stale", method="PUT", times=0))
        assert land.said("run-once", "--wait", "1s").code == 4
        (shown,) = land.said("status", "--json").data["providers"]
        assert (shown["state"], shown["linked"], shown["ambiguous"], shown["retry"]) == ("ok", 11, 1, 0)
        assert len(twin.records) == 11


def test_an_unreachable_provider_is_down_and_explain_still_answers(tmp_path: Path) -> None:
    """Nobody listens: exit 7 with the command, the other provider is through, `explain` tells from the state alone."""
    with landscape(tmp_path, 5, ("aiotic", "billbee")) as land:
        land.said("run-once")
        land.change(land.server.url("aiotic"), "http://127.0.0.1:1")
        land.sql("UPDATE customers SET name = 'Neu & Söhne' WHERE id < 6")
        answer = land.said("run-once", "--wait", "12s")
        assert answer.code == 7
        assert "aiotic: down" in answer.out
        assert all(record["Name"] == "Neu & Söhne" for record in land.server.twins["billbee"].records.values())
        explained = land.said("explain", "2", "--values")
        assert explained.code == 0
        assert "from the state alone" in explained.out
        as_json = land.said("explain", "2", "--json")
        assert [each["asked"] for each in as_json.data["providers"]] == [False, True]
        assert "Söhne" not in as_json.out


def test_exit_8_beside_a_daemon_and_operators_still_work(tmp_path: Path) -> None:
    """While somebody holds the state's lock: run-once leaves with 8, reading and operator commands work, `sync` leaves
    its mark for the daemon."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.said("run-once")
        with lock_file(tmp_path / "state.db"):
            assert land.said("run-once").code == 8
            assert land.said("status").code == 0
            assert land.said("explain", "1").code == 0
            assert land.said("pause", "aiotic", "--reason", "maintenance", "--until", "1h").code == 0
            assert land.said("resume", "aiotic").code == 0
            marked = land.said("sync", "1001")
            assert (marked.code, "daemon" in marked.out) == (0, True)
        assert land.recalled("SELECT customer_key, reason FROM work") == [("1", "person")]


def test_sync_works_off_one_customer_only(tmp_path: Path) -> None:
    """`sync KEY` brings this customer to both providers and leaves what else is due to the next run."""
    with landscape(tmp_path, 5, ("aiotic", "billbee")) as land:
        land.said("run-once")
        land.sql("UPDATE customers SET email = 'neu@example.com' WHERE id IN (2, 4)")
        answer = land.said("sync", "2", "--json")
        assert answer.code == 0
        assert {each["provider"]: each["did"] for each in answer.data["providers"]} == {
            "aiotic": "updated", "billbee": "updated",
        }  # fmt: skip
        emails = [record["Email"] for record in land.server.twins["billbee"].records.values()]
        assert emails.count("neu@example.com") == 1
        assert land.said("run-once", "--json").data["counts"]["billbee"]["updated"] == 1
        missing = land.said("sync", "4711")
        assert (missing.code, "4711" in missing.err) == (2, True)


def test_limit_and_provider_hold_for_the_whole_run(tmp_path: Path) -> None:
    """`--limit 2 --provider billbee` looks at two customers there in the whole run and at nothing elsewhere; exit 4
    says that more is due."""
    with landscape(tmp_path, 7, ("aiotic", "billbee")) as land:
        answer = land.said("run-once", "--limit", "2", "--provider", "billbee")
        assert answer.code == 4
        assert "still due" in answer.out
        assert [len(twin.records) for twin in map(land.server.twins.get, ("aiotic", "billbee")) if twin] == [0, 2]
        assert land.said("run-once").code == 0
        assert len(land.server.twins["billbee"].records) == 7
        unknown = land.said("run-once", "--provider", "bilbee")
        assert (unknown.code, "Did you mean billbee" in unknown.err) == (2, True)


def test_pause_holds_and_resume_lets_go(tmp_path: Path) -> None:
    """A paused provider gets no request and its changes wait; repeating a verb says so; resume delivers."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.said("run-once")
        assert "paused" in land.said("pause", "aiotic", "--reason", "CHG-441").out
        assert "already paused" in land.said("pause", "aiotic", "--reason", "CHG-441").out
        land.sql("UPDATE customers SET name = 'Neu' WHERE id = 1")
        before = land.requests("aiotic")
        assert land.said("run-once").code == 5
        assert land.said("sync", "1").code == 5
        assert land.requests("aiotic") == before
        assert "CHG-441" in land.said("status").out
        assert "goes on" in land.said("resume", "aiotic").out
        assert "was not paused" in land.said("resume", "aiotic").out
        assert land.said("run-once").code == 0


def test_a_poison_record_dies_alone(tmp_path: Path) -> None:
    """A customer that always fails becomes a dead letter while others get through; `retry` gives it new life."""
    with landscape(tmp_path, 10, ("aiotic",), common="max_attempts = 3\nconcurrency = 1\n") as land:
        land.change('backoff = "200ms"', 'backoff = "10ms"')
        land.said("run-once")
        land.settle()
        land.said("run-once")  # aiotic's 202s are confirmed: nothing of them is left to look at
        twin = land.server.twins["aiotic"]
        twin.records["1002"]["number"] = "another's"  # what answers is not who was asked for
        land.sql("UPDATE customers SET city = 'Kiel'")
        assert land.said("run-once", "--wait", "5s").code == 5
        status = land.said("status", "--json")
        assert (status.code, status.data["providers"][0]["dead"]) == (5, 1)
        assert [problem["command"] for problem in status.data["problems"]] == ["syncd retry 2"]
        assert [record["city"] for key, record in twin.records.items() if key != "1002"] == ["Kiel"] * 9
        land.settle()
        land.said("run-once")  # confirms the other nine
        before = land.requests("aiotic")
        assert land.said("run-once").code == 5
        assert land.requests("aiotic") == before
        twin.records["1002"]["number"] = "1002"
        assert land.said("retry", "2").code == 0
        assert land.said("run-once").code == 0
        assert twin.records["1002"]["city"] == "Kiel"


def test_state_of_another_revision_is_refused(tmp_path: Path) -> None:
    """An older state is never touched by a run: exit 2 with the command that migrates it."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.said("run-once")
        assert "already" in land.said("db", "upgrade").out
        land.recalled("UPDATE alembic_version SET version_num = '0000'")
        for words in (("run-once",), ("status",), ("db", "info")):
            answer = land.said(*words)
            assert answer.code == 2, words
        assert "newer" in land.said("run-once").err


def test_dry_run_writes_nothing_anywhere(tmp_path: Path) -> None:
    """`run-once --dry-run` is the plan: no write at a provider, and the run that follows still finds all its work."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        answer = land.said("run-once", "--dry-run", "--json")
        assert answer.code == 0
        assert answer.data["counts"]
        assert land.server.twins["aiotic"].writes() == 0
        assert land.said("run-once").out.startswith("5 created")


def test_messages_are_on_stderr(tmp_path: Path) -> None:
    """Nothing of a refused command is on stdout: results there, messages on stderr."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        answer = land.said("retry")
        assert (answer.code, answer.out) == (2, "")
        assert "--failed" in answer.err


def test_installation_is_closed_again(tmp_path: Path) -> None:
    """After a run nothing is held: the next process gets lock and lanes at once."""
    with landscape(tmp_path, 5, ("aiotic",)) as land:
        land.said("run-once")
        with installation(load(land.config)) as site:
            assert site.sole


def test_all_lanes_of_a_process_share_its_processor(tmp_path: Path) -> None:
    """A lane knows that others compute beside it: with a processor of its own each would think itself alone."""
    with (
        landscape(tmp_path, 5, ("aiotic", "jtl", "billbee")) as land,
        installation(load(land.config)) as site,
    ):
        assert len(site.routes) == 3
        assert len({id(route.lane.processor) for route in site.routes}) == 1
