"""The log as one JSON object a line (REFDESK_LOG_FORMAT=json): ids, kinds, codes, numbers and places, no content.

A line that is gathered elsewhere must not carry what a document, a question or a person says. So an error is written
by its kind and places, without its text, and a message is filled in only with what cannot be such a text.
"""

import logging
import logging.config
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from uuid import UUID

import orjson

from app.errors import RefdeskError
from app.lib.tenancy import EVERYTHING, scope_now
from app.lib.trace import trace_now, trace_of

log = logging.getLogger(__name__)

# Our own log calls have constant texts with parameters apart (test_error_reports.py says so).
OURS = "app."
# Their messages without parameters are constants too; of other packages only those with parameters are templates.
CONSTANT = ("uvicorn", "celery", "kombu")
OTHERS = "a message of another package"
# What a line may say besides; `extra={"fields": …}` in a log call.
FIELDS = ("method", "route", "status", "latency_ms", "tokens_in", "tokens_out", "cache_hit")
PLACES = 20
ERRORS = 5
# Codes and kinds, names of classes, ids.
_PLAIN = re.compile(r"[a-z]+(?:_[a-z]+)*|(?:[A-Z][a-z]+){2,}|[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        request = getattr(record, "request", None)
        trace = trace_now()
        if not trace.request_id and hasattr(request, "request_id"):
            trace = trace_of(request)  # type: ignore[arg-type]
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "request_id": trace.request_id or None,
            "trace_id": trace.trace_id or None,
            "organisation": _organisation() or trace.organisation or None,
            "client_id": trace.client_id or None,
            **_fields(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["errors"] = _errors(record.exc_info[1])
        return orjson.dumps(line).decode()


def _organisation() -> str | None:
    """Return the organisation whose rows the running code sees, where it is one."""
    scope = scope_now()
    return None if not scope or scope == EVERYTHING or "," in scope else scope


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = dict(getattr(record, "fields", {}))
    if (match := getattr(getattr(record, "request", None), "resolver_match", None)) is not None:
        fields |= {"route": match.route, "status": getattr(record, "status_code", None)}
    kept = {name: fields[name] for name in FIELDS if name in fields}
    # A method is whatever a client writes.
    if kept.get("method", "GET") not in _METHODS:
        kept["method"] = "…"
    return kept


def _message(record: logging.LogRecord) -> str:
    template = record.msg.strip() if isinstance(record.msg, str) else ""
    if not record.name.startswith(OURS):
        known = record.name.split(".")[0] in CONSTANT and record.name != "celery.redirected"
        return template if template and (record.args or known) else OTHERS
    if not record.args:
        return template
    try:
        if isinstance(record.args, Mapping):
            return template % {name: _shown(value) for name, value in record.args.items()}
        return template % tuple(_shown(value) for value in record.args)
    except (TypeError, ValueError):  # a number's place for what is not shown
        return template


def _shown(value: Any) -> Any:
    """Return a parameter as it may stand in a line: numbers, ids, codes and kinds of errors."""
    if value is None or isinstance(value, int | float | UUID):
        return value
    if isinstance(value, BaseException):
        return type(value).__name__
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else "…"


def _errors(error: BaseException | None) -> list[dict[str, Any]]:
    """Return an error and those that led to it, by their kinds and places."""
    found: list[dict[str, Any]] = []
    while error is not None and len(found) < ERRORS:
        frames = traceback.extract_tb(error.__traceback__)[-PLACES:]
        entry: dict[str, Any] = {"type": type(error).__name__}
        if isinstance(error, RefdeskError):
            entry["code"] = error.code
        entry["places"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        found.append(entry)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def logging_configure(config: dict[str, Any]) -> None:
    """Configure the log; what Python writes past it, warnings and errors that nobody caught, goes there too."""
    logging.config.dictConfig(config)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, places: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("an error that nobody caught", exc_info=(kind, error, places))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        log.critical("a thread ended by an error", exc_info=args.exc_value)
