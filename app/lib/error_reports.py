"""Report errors to a server of Sentry's protocol, where REFDESK_SENTRY_DSN names one: types and places, no content.

An event is rebuilt from the fields below; everything else that the package collects is dropped. So no text of an
exception (it may contain a document's words), no variable, argument, request, address or person is sent.
"""

from collections.abc import Mapping
from logging import LogRecord
from typing import TYPE_CHECKING, Any

from django.conf import settings

from app.errors import RefdeskError
from app.lib.trace import trace_id_now

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

# Our own log calls have constant texts with parameters apart (a test says so); of others only the logger is reported.
OUR_LOGGER = "app."
_KEPT = ("event_id", "timestamp", "level", "platform", "release", "logger")
_KEPT_OF_FRAME = ("filename", "function", "module", "lineno", "in_app")
_part = ""


def error_reports_start(part: str) -> None:
    """Report the errors of this process from now on, as those of `part`: web, worker or beat.

    Without REFDESK_SENTRY_DSN the package is not loaded.
    """
    global _part
    if not settings.SENTRY_DSN:
        return
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration

    _part = part
    sentry_sdk.init(
        settings.SENTRY_DSN,
        release=settings.VERSION,
        before_send=_event_written_anew,
        # Django and Celery log their unhandled errors, so their own integrations, which read requests and tasks, are
        # not needed.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, sentry_logs_level=None),
            ExcepthookIntegration(),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        send_default_pii=False,
        send_client_reports=False,
        auto_session_tracking=False,
        server_name="",
    )


def error_report(error: Exception) -> None:
    """Report a handled error whose text must not be logged."""
    if _part:
        import sentry_sdk

        sentry_sdk.capture_exception(error)


def _event_written_anew(event: "Event", hint: "Hint") -> "Event":
    source: Mapping[str, Any] = event
    kept: dict[str, Any] = {key: source[key] for key in _KEPT if key in source}
    exceptions = [_exception(each) for each in source.get("exception", {}).get("values") or ()]
    if exceptions:
        kept["exception"] = {"values": exceptions}
    kept["tags"] = {"part": _part, **_tags(hint)}
    message = source.get("logentry", {}).get("message")
    if message and str(source.get("logger", "")).startswith(OUR_LOGGER):
        kept["logentry"] = {"message": message}
    elif not exceptions:
        kept["logentry"] = {"message": "an error without an exception"}
    return kept  # type: ignore[return-value]


def _exception(value: Mapping[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames") or ()
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "value": "",
        "stacktrace": {"frames": [{key: frame[key] for key in _KEPT_OF_FRAME if key in frame} for frame in frames]},
    }


def _tags(hint: Mapping[str, Any]) -> dict[str, str]:
    """Return the code of our own error, the route and the id of a request, and the trace id that joins it to the log.

    Of these a client chooses the trace id alone, which is 32 hexadecimal digits (app/lib/trace.py).
    """
    tags: dict[str, str] = {}
    error = (hint.get("exc_info") or (None, None))[1]
    if isinstance(error, RefdeskError):
        tags["code"] = error.code
    record: LogRecord | None = hint.get("log_record")
    request = getattr(record, "request", None)
    if request is not None:
        tags["request_id"] = getattr(request, "request_id", "")
        tags["route"] = getattr(getattr(request, "resolver_match", None), "route", "")
    tags["trace_id"] = getattr(request, "trace_id", "") or trace_id_now()
    return {key: text for key, text in tags.items() if text}
