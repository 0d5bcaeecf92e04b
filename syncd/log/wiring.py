"""Sets up structlog and the standard library's logging, so that the lines of both reach the same sinks."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from syncd.clock import Clock, SystemClock
from syncd.log.events import EVENTS
from syncd.log.keys import moment, permitted
from syncd.log.lines import as_json, as_text, described, ordered
from syncd.log.naming import Naming, in_force
from syncd.log.sinks import LogFile, Sink, is_journal, is_terminal, stream_writer, with_priority

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_QUIET = ("httpx", "httpcore", "sqlalchemy", "alembic", "apscheduler", "werkzeug")


def setup(  # noqa: PLR0913  one argument a key, and one a destination
    level: str = "info",
    format: str = "",  # noqa: A002  the name of the key in syncd.toml
    file: str = "",
    *,
    journal: str = "",
    stream: TextIO | None = None,
    clock: Clock | None = None,
    listener: Callable[[Mapping[str, object]], None] | None = None,
) -> None:
    """Begin to log; called again (a reload) it takes the new settings.

    `format` is json, console, or empty for console on a terminal and JSON elsewhere; `file` gets JSON lines as well;
    `journal` is `$JOURNAL_STREAM`; `stream` is stderr where it is None; `listener` is called with every event that is
    written, in the thread that logged it. Raises `SettingsError` where the file cannot be opened.
    """
    log_file = LogFile(file) if file else None
    stream = stream if stream is not None else sys.stderr
    console = format == "console" or (not format and is_terminal(stream))
    render = as_text if console else as_json
    sinks = [Sink(stream_writer(stream), with_priority(render) if is_journal(stream, journal) else render)]
    if log_file is not None:
        sinks.append(Sink(log_file.write, as_json))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            in_force() or Naming(),
            _shape(clock or SystemClock()),
            _deliver(sinks, listener),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    _ignore_libraries()
    _listen(_Library(log_file))


def stop() -> None:
    """Undo `setup`: events go nowhere, and libraries log as they do without syncd."""
    structlog.reset_defaults()
    _ignore_libraries()


def _ignore_libraries() -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Library)]:
        root.removeHandler(handler)
        handler.close()
        logging.captureWarnings(capture=False)


def emit(event: str, *, level: str | None = None, **fields: object) -> None:
    """Log an event of `EVENTS`, at its own level or at another. Before `setup` it goes nowhere.

    `exc` takes an exception: its type and frames are shown, its message is not. Keys that `KEYS` does not know are
    left out and counted. Raises ValueError for an event that nobody registered.
    """
    if event not in EVENTS:
        raise ValueError(f"{event} is not a registered event")
    if structlog.is_configured():
        structlog.get_logger().log(_LEVELS[level or EVENTS[event]], event, **fields)


@contextmanager
def run(run_id: str) -> Iterator[None]:
    """Events of this thread, and of threads that run in a copy of its context, carry the run's id inside the block."""
    with structlog.contextvars.bound_contextvars(run_id=run_id):
        yield


def _shape(clock: Clock) -> Processor:
    """A processor that leaves an event its registered keys, in a fixed order, and adds the time."""

    def shape(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        if event["event"] not in EVENTS:  # a library that uses structlog, too
            event = {"event": "library.logged", "level": event["level"], "logger": "structlog"}
        head = {"event": event.pop("event"), "level": event.pop("level"), "timestamp": moment(clock.now())[0]}
        error = event.pop("exc", None)
        if isinstance(error, BaseException):
            event = {**event, **{word: value for word, value in described(error).items() if word not in event}}
        kept, dropped = permitted(event)
        return ordered({**head, **kept, **({"dropped": dropped} if dropped else {})})

    return shape


def _deliver(sinks: list[Sink], listener: Callable[[Mapping[str, object]], None] | None) -> Processor:
    """The last processor: every sink gets the event, and after lost lines a `log.dropped` with their number."""

    def deliver(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        for sink in sinks:
            if sink.send(event) and (lost := sink.take_lost()):
                told = {"event": "log.dropped", "level": "warning", "timestamp": event["timestamp"], "count": lost}
                if not sink.send(told):
                    sink.lost += lost - 1  # `send` counted the line of `log.dropped`, which is no lost event
        if listener is not None:
            listener(event)
        raise structlog.DropEvent

    return deliver


class _Library(logging.Handler):
    """Turns a library's log record into `library.logged`. The record's words may hold a customer's values, so only the
    library, the level, the place, and an exception's type and frames are kept."""

    def __init__(self, file: LogFile | None) -> None:
        super().__init__()
        self._file = file
        self.hooks = (sys.excepthook, threading.excepthook)

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for name in reversed(_LEVELS) if _LEVELS[name] <= record.levelno), "debug")
        error = record.exc_info[1] if record.exc_info else None
        emit("library.logged", level=level, logger=record.name, where=f"{record.module}:{record.lineno}", exc=error)

    def close(self) -> None:
        sys.excepthook, threading.excepthook = self.hooks
        if self._file is not None:
            self._file.close()
        super().close()


def _listen(handler: _Library) -> None:
    """Route the log records of libraries, warnings and uncaught exceptions into the log: none may print its own words,
    which may hold values."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda hook: _report(hook.exc_value)


def _uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _report(error)
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            sys.stderr.write(f"error: internal error ({kind.__name__}); the next run looks up what was under way\n")


def _report(error: BaseException | None) -> None:
    emit("library.logged", level="error", logger="python", exc=error)
