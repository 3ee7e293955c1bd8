"""The header WWW-Authenticate of RFC 6750, by which a program learns how to send its key."""

from django.http import HttpRequest

from app.errors import RefdeskError

_SCHEME = 'Bearer realm="Refdesk"'


def _token_sent(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(token.strip())


def challenge(request: HttpRequest) -> str:
    """Return the header of a 401. Without a token it names no error, as the RFC wants."""
    return f'{_SCHEME}, error="invalid_token"' if _token_sent(request) else _SCHEME


def challenge_of_scope(request: HttpRequest, error: RefdeskError) -> str:
    """Return the header of a 403 for a token that may too little; empty for any other refusal."""
    if error.code not in ("scope_missing", "not_allowed") or not _token_sent(request):
        return ""
    scope = f', scope="{error.details["scope"]}"' if "scope" in error.details else ""
    return f'{_SCHEME}, error="insufficient_scope"{scope}'
