"""The Content-Security-Policy of every page: only resources that Refdesk ships may run, load or be embedded."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from app.lib.asgi.middleware_function import middleware

# Recordings come from Refdesk, or by its redirect from the store that browsers reach.
MEDIA = f"'self' {settings.S3_PUBLIC_URL}".strip()
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
    f"media-src {MEDIA}; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Unfold's Alpine.js evaluates expressions and sets styles inline.
ADMIN = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "font-src 'self'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# Swagger's page sets styles inline.
DOCS = STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
DOCS_PATH = "/api/v1/docs"


def _mark(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if "Content-Security-Policy" not in response:
        policy = ADMIN if request.path.startswith("/admin/") else DOCS if request.path == DOCS_PATH else STRICT
        response["Content-Security-Policy"] = policy
    return response


ContentPolicyMiddleware = middleware(_mark)
