"""The error codes that people and programs can meet, and the one JSON shape of an error.

`{"error": {"code", "message", "details", "request_id"}}`, also in SSE. docs/errors.md lists the same codes.
"""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """The meaning of an error code: HTTP status, default message, hint, and whether a retry can help."""

    status: int
    message: str
    hint: str
    retryable: bool = False


CODES: dict[str, Entry] = {
    # Authentication and permissions
    "not_signed_in": Entry(401, "Sign in first.", "Sign in, or send an API key as Authorization: Bearer rk_…"),
    "bad_credentials": Entry(
        401, "The e-mail address or the password is wrong.", "Try again, or ask an admin for a new password."
    ),
    "sign_in_locked": Entry(
        429, "Too many wrong passwords.", "Wait at most 15 minutes, or ask an admin for a new password.", True
    ),
    "bad_api_key": Entry(
        401,
        "This API key is not valid.",
        "Check that it was copied whole; if it is revoked or expired, make a new key.",
    ),
    "bad_access_token": Entry(401, "This access token is not valid.", "Get a new token from whoever issued this one."),
    "sign_in_failed": Entry(400, "Signing in did not work.", "Start again from the sign-in page."),
    "sign_in_refused": Entry(
        403, "You cannot sign in here yet.", "Ask an owner or admin of your organisation to let you in."
    ),
    "provider_unavailable": Entry(503, "The sign-in provider does not answer.", "Try again in a moment.", True),
    "csrf_failed": Entry(
        403,
        "The page is too old for this action.",
        "Reload the page and try again. A program sends an API key instead of a session's cookie.",
    ),
    "not_allowed": Entry(
        403, "Your role does not allow this.", "Ask an owner or admin of the organisation for a role that does."
    ),
    "scope_missing": Entry(
        403, "This key lacks the scope for that.", "Use a key with the scope that details.scope names."
    ),
    "organisation_suspended": Entry(
        403, "This organisation is suspended.", "Nothing of it is lost. Ask the people who run this Refdesk."
    ),
    "not_found": Entry(
        404,
        "Nothing was found at this address.",
        "Check the address; what was there may be deleted, or belong to another organisation.",
    ),
    "last_owner": Entry(409, "An organisation needs an owner.", "Make somebody else an owner first."),
    "invitation_invalid": Entry(
        410, "This invitation is used, expired or withdrawn.", "Ask whoever invited you for a new link."
    ),
    "link_invalid": Entry(
        410, "This link is used, expired or replaced by a newer one.", "Ask for a new link where you got it."
    ),
    # Requests
    "invalid_request": Entry(
        422,
        "Some of what was sent cannot be used.",
        "Correct what the message or details.fields name, and send it again.",
    ),
    "malformed_body": Entry(
        400, "The body of the request cannot be read.", "Correct it where the message says, and send it again."
    ),
    "body_not_object": Entry(
        400, "The body of the request is no JSON object.", "Send an object with the fields of this call: {…}."
    ),
    "wrong_content_type": Entry(
        415,
        "The body of the request has the wrong content type.",
        "Set the header Content-Type as details.expected says.",
    ),
    "wrong_host": Entry(
        400,
        "This Refdesk does not answer at this host name.",
        "Use its public address. Whoever runs this Refdesk sets that address with REFDESK_URL.",
    ),
    "request_too_large": Entry(413, "The request is too large.", "Send less at once."),
    "method_not_allowed": Entry(
        405,
        "This address does not take that method.",
        "Use a method of the header Allow; /api/v1/docs lists all calls.",
    ),
    "conflict": Entry(
        409,
        "This conflicts with something that is there.",
        "Look at what is there now, then decide whether to try again.",
    ),
    "idempotency_key_reused": Entry(
        409,
        "This Idempotency-Key was sent with another question.",
        "Send a new key with each new question, and the same key only to repeat the same request.",
    ),
    "bot_paused": Entry(409, "This bot is paused.", "Ask another bot, or an admin of your organisation to resume it."),
    "question_empty": Entry(422, "Write a question first.", "Send 1 to 2,000 characters."),
    "question_too_long": Entry(
        422, "The question is longer than 2,000 characters.", "Shorten it to at most 2,000 characters."
    ),
    "too_many_requests": Entry(
        429, "Too many requests at once.", "Wait as many seconds as the header Retry-After says.", True
    ),
    "quota_used_up": Entry(
        429, "This month's quota is used up.", "Wait for the next month, or ask an admin for a larger plan.", True
    ),
    # Files
    "file_too_large": Entry(413, "The file is larger than the limit.", "Split it into smaller files."),
    "library_full": Entry(
        413,
        "The plan of your organisation has no room for this.",
        "Delete documents that are no longer needed, or ask the operator of this Refdesk for a larger plan.",
        True,
    ),
    "no_file": Entry(422, "No file was sent.", "Send one or more files in the field `file`."),
    "disk_full": Entry(
        507, "There is no room left on the server's disk.", "Free some space on it, then try again.", True
    ),
    "empty_file": Entry(422, "The file is empty.", "Upload it again; the copy may have broken off."),
    "unsupported_type": Entry(
        415,
        "This kind of file cannot be read.",
        "Save it as PDF or in another of the usual formats of text, tables, slides, mail, pictures or sound.",
    ),
    "ocr_not_installed": Entry(
        422,
        "This is a picture or a scan, and nothing that reads text in pictures is installed.",
        "Ask whoever runs this Refdesk to start it with scripts/start --with-ocr, then retry.",
        True,
    ),
    "speech_not_installed": Entry(
        422,
        "This is a recording, and nothing that writes down speech is installed.",
        "Ask whoever runs this Refdesk to start it with scripts/start --with-speech, then retry.",
        True,
    ),
    "office_not_installed": Entry(
        422,
        "This is an old Word or PowerPoint file, and LibreOffice, which converts these, is not installed.",
        "Save it as DOCX or PPTX and upload that, or ask whoever runs this Refdesk to install LibreOffice, then retry.",
        True,
    ),
    "no_sound": Entry(
        422, "This video has no sound, so there is nothing to write down.", "Upload a recording in which people speak."
    ),
    "no_speech": Entry(
        422,
        "Nobody speaks in this recording, or not clearly enough to be understood.",
        "Upload a recording with clear speech, or write down what it says.",
    ),
    "encrypted_file": Entry(422, "The file is protected by a password.", "Save a copy without the password."),
    "broken_file": Entry(422, "The file is damaged and cannot be read.", "Open it, save it anew and upload that."),
    "no_text": Entry(422, "The file holds no text, perhaps a scan.", "Run text recognition (OCR) first."),
    "file_too_complex": Entry(422, "The file expands beyond what can be read safely.", "Split it into smaller files."),
    "parse_timeout": Entry(422, "Reading the file took too long.", "Split it into smaller files.", True),
    "parse_memory": Entry(422, "Reading the file needs too much memory.", "Split it into smaller files."),
    "parse_crashed": Entry(
        422, "The program that reads this kind of file failed on it.", "Open it, save it anew and upload that.", True
    ),
    # Work
    "worker_died": Entry(
        500, "The worker died three times on this.", "Split the file if it is one, or report it.", True
    ),
    "cancelled": Entry(409, "This was cancelled.", "Retry it to run it again.", True),
    "file_missing": Entry(500, "The stored file is missing or damaged.", "Upload it again.", True),
    # Credentials
    "secrets_key_missing": Entry(
        503,
        "Credentials cannot be stored or read: the key that encrypts them is missing.",
        "Whoever runs this Refdesk sets REFDESK_SECRETS_KEYS (docs/secrets.md).",
    ),
    "secret_unreadable": Entry(
        503,
        "A stored credential cannot be read.",
        "Enter it again, or give back the key that it was encrypted with (docs/secrets.md).",
    ),
    # Sources
    "nothing_to_read": Entry(409, "There is nothing to read in this source.", "Upload documents to it, or push them."),
    "source_empty": Entry(
        409,
        "The source named no document at all, so none was removed.",
        "Check its settings. To remove its documents, delete the source.",
    ),
    # Exports
    "archive_refused": Entry(422, "This archive cannot be imported.", "Make the export again, and copy it whole."),
    "export_not_ready": Entry(409, "This export is not ready.", "Wait until its state is done.", True),
    "export_expired": Entry(410, "This export has expired.", "Make a new export."),
    # Engines
    "database_unavailable": Entry(503, "The database does not answer.", "Try again in a moment.", True),
    "search_unavailable": Entry(503, "Search is unavailable.", "Try again in a moment; see the logs.", True),
    "storage_unavailable": Entry(
        503, "The file store does not answer.", "Try again in a moment; an admin finds the reason in the logs.", True
    ),
    "cache_unavailable": Entry(503, "Valkey does not answer.", "Try again in a moment; see the logs.", True),
    "mail_unavailable": Entry(
        503, "The mail server does not take mail.", "Check REFDESK_SMTP_URL; see the logs.", True
    ),
    "embeddings_unavailable": Entry(503, "The embedding model does not answer.", "Try again in a moment.", True),
    "speech_unavailable": Entry(503, "The speech-to-text server does not answer.", "Try again in a moment.", True),
    "rerank_unavailable": Entry(503, "The reranking model does not answer.", "Try again in a moment.", True),
    "model_unavailable": Entry(503, "The language model does not answer.", "Try again; check the model server.", True),
    "model_timeout": Entry(504, "The language model took too long.", "Try again; check the model server.", True),
    "model_dropped": Entry(502, "The language model stopped in the middle.", "Ask again.", True),
    "model_missing": Entry(
        503,
        "The model server does not have this model.",
        "An admin can fetch it, or choose another: `manage.py models` lists what is there.",
    ),
    "prompt_too_long": Entry(
        503,
        "The question with its passages is longer than the model reads.",
        "An admin can serve the model with a larger context, or show it fewer passages.",
    ),
    "model_pull_failed": Entry(
        502, "The model could not be fetched.", "Check its name, and that the model server has a route out.", True
    ),
    "model_busy": Entry(503, "Too many people are waiting for the language model.", "Try again later.", True),
    "address_refused": Entry(
        422,
        "This address cannot be reached from here.",
        "Use a public address; whoever runs this Refdesk can allow others (REFDESK_EGRESS_ALLOW).",
    ),
    "interrupted": Entry(500, "The answer was cut off.", "Ask again.", True),
    "internal": Entry(500, "Something went wrong on our side.", "Try again; the log has the request id.", True),
}


class RefdeskError(Exception):
    """An error with a code of `CODES`.

    Args:
        code: a key of CODES.
        message: replaces the code's own message.
        details: JSON values for programs.
        retry_after_s: seconds after which a retry is sensible.
    """

    default_code = "internal"

    def __init__(
        self,
        code: str | None = None,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.code = code or self.default_code
        entry = CODES[self.code]
        self.message = message or entry.message
        self.hint = entry.hint
        self.status = entry.status
        self.retryable = entry.retryable
        self.details = details or {}
        self.retry_after_s = retry_after_s
        super().__init__(f"{self.code}: {self.message}")

    def as_json(self, request_id: str | None = None) -> dict[str, Any]:
        return error_json(self.code, self.message, details=self.details, request_id=request_id)


class NotSignedIn(RefdeskError):
    default_code = "not_signed_in"


class NotAllowed(RefdeskError):
    default_code = "not_allowed"


class NotFound(RefdeskError):
    default_code = "not_found"


class Conflict(RefdeskError):
    default_code = "conflict"


class Invalid(RefdeskError):
    default_code = "invalid_request"


class Upstream(RefdeskError):
    """The failure of a server that Refdesk depends on."""

    default_code = "internal"


class IngestFailed(RefdeskError):
    """The failure of a document's ingest; the code gives the reason."""

    default_code = "broken_file"


def retry_after(error: RefdeskError) -> str:
    """Return the value of Retry-After: whole seconds, rounded up."""
    return str(max(1, math.ceil(error.retry_after_s or 0)))


def error_json(
    code: str, message: str | None = None, *, details: dict[str, Any] | None = None, request_id: str | None = None
) -> dict[str, Any]:
    """Return an error in its JSON shape, with the code's hint in `details` for every client to show."""
    entry = CODES[code]
    shown = {"hint": entry.hint, **(details or {})}
    return {"error": {"code": code, "message": message or entry.message, "details": shown, "request_id": request_id}}
