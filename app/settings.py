"""Django's settings. The deployment's facts come from app/env.py; an organisation's choices are in the database."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from app.env import EnvError, check_names, read, read_deployment, read_secrets_keys
from app.lib.tenancy import ACT_AS_ROLE

ROOT = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    options["options"] = f"{options.get('options', '')} {ACT_AS_ROLE}".strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "refdesk",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": options.pop("port", str(parts.port or "")),
        # Streams must not hold connections (docs/decisions), so a small pool serves many readers.
        # A worker has a connection for each thread of each kind of job, though they are hardly ever all in use.
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 24, "timeout": 10}, **options},
        # A server-side cursor would outlive the transaction that set its scope.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "CONN_HEALTH_CHECKS": True,
    }


try:
    check_names()
    DATA = Path(read("REFDESK_DATA")).resolve()
    PUBLIC_URL: str = read_deployment("REFDESK_URL")
    SECRET_KEY: str = read_deployment("REFDESK_SECRET_KEY") or ""
    SECRETS_KEYS: str = read_secrets_keys()
    DATABASE_URL: str = read_deployment("REFDESK_DATABASE_URL") or ""
    VALKEY_URL: str = read_deployment("REFDESK_VALKEY_URL") or ""
    QDRANT_URL: str = read_deployment("REFDESK_QDRANT_URL") or ""
    QDRANT_API_KEY: str = read_deployment("REFDESK_QDRANT_API_KEY") or ""
    EMBEDDINGS_URL: str = read_deployment("REFDESK_EMBEDDINGS_URL") or ""
    EMBEDDINGS_MODEL: str = read_deployment("REFDESK_EMBEDDINGS_MODEL") or ""
    EMBEDDINGS_API_KEY: str = read_deployment("REFDESK_EMBEDDINGS_API_KEY") or ""
    SPEECH_URL: str = read_deployment("REFDESK_SPEECH_URL") or ""
    SPEECH_MODEL: str = read_deployment("REFDESK_SPEECH_MODEL") or ""
    SPEECH_API_KEY: str = read_deployment("REFDESK_SPEECH_API_KEY") or ""
    LLM_URL: str = read_deployment("REFDESK_LLM_URL") or ""
    LLM_MODEL: str = read_deployment("REFDESK_LLM_MODEL") or ""
    LLM_API_KEY: str = read_deployment("REFDESK_LLM_API_KEY") or ""
    S3_URL: str = read_deployment("REFDESK_S3_URL") or ""
    S3_BUCKET: str = read_deployment("REFDESK_S3_BUCKET")
    S3_ACCESS_KEY: str = read_deployment("REFDESK_S3_ACCESS_KEY") or ""
    S3_SECRET_KEY: str = read_deployment("REFDESK_S3_SECRET_KEY") or ""
    S3_PUBLIC_URL: str = read_deployment("REFDESK_S3_PUBLIC_URL") or ""
    OIDC_ISSUER: str = read_deployment("REFDESK_OIDC_ISSUER") or ""
    OIDC_CLIENT_ID: str = read_deployment("REFDESK_OIDC_CLIENT_ID") or ""
    OIDC_CLIENT_SECRET: str = read_deployment("REFDESK_OIDC_CLIENT_SECRET") or ""
    OIDC_INTERNAL_URL: str = read_deployment("REFDESK_OIDC_INTERNAL_URL") or ""
    SENTRY_DSN: str = read_deployment("REFDESK_SENTRY_DSN") or ""
    INTERNAL_HOST: str = read_deployment("REFDESK_INTERNAL_HOST") or ""
    WORKER_BEATS: bool = read_deployment("REFDESK_WORKER_BEATS")
    UPLOAD_MAX_BYTES: int = read_deployment("REFDESK_UPLOAD_MAX_MB") * 1024**2
    LOG_FORMAT: str = read_deployment("REFDESK_LOG_FORMAT")
    METRICS_TOKEN: str = read_deployment("REFDESK_METRICS_TOKEN") or ""
    EGRESS_ALLOW: str = read_deployment("REFDESK_EGRESS_ALLOW") or ""
    # Read from this process's own environment: each process has its own file.
    ALIVE_FILE: str = read("REFDESK_ALIVE_FILE") or ""
    METRICS_LISTEN: tuple[str, int] | None = read("REFDESK_METRICS_LISTEN")
    SMTP_URL: str = read_deployment("REFDESK_SMTP_URL") or ""
    MAIL_FROM: str = read_deployment("REFDESK_MAIL_FROM") or ""
except EnvError as error:
    raise ImproperlyConfigured(str(error)) from error

if not DATABASE_URL or not SECRET_KEY:
    raise ImproperlyConfigured(
        f"Refdesk is not running on {DATA}: start it with scripts/start, or set REFDESK_DATABASE_URL and the other "
        "addresses of docs/configuration.md."
    )

if bool(OIDC_ISSUER) != bool(OIDC_CLIENT_ID):
    raise ImproperlyConfigured("REFDESK_OIDC_ISSUER and REFDESK_OIDC_CLIENT_ID go together: set both or neither.")

if bool(S3_URL) != bool(S3_ACCESS_KEY and S3_SECRET_KEY) or (S3_PUBLIC_URL and not S3_URL):
    raise ImproperlyConfigured(
        "REFDESK_S3_URL, REFDESK_S3_ACCESS_KEY and REFDESK_S3_SECRET_KEY go together: set all of them or none."
    )

DEBUG = False
_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = sorted({_public.hostname or "localhost", "localhost", "127.0.0.1", "[::1]", INTERNAL_HOST} - {""})
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _public.scheme == "https"
# Two boxes on one host differ only by port, which cookies ignore: the name keeps them apart.
SESSION_COOKIE_NAME = f"refdesk_session_{_public.port}" if _public.port else "refdesk_session"
CSRF_COOKIE_NAME = f"refdesk_csrf_{_public.port}" if _public.port else "refdesk_csrf"
# Marks a browser in which somebody has signed in before (app/accounts/lockout.py).
DEVICE_COOKIE_NAME = f"refdesk_device_{_public.port}" if _public.port else "refdesk_device"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_FAILURE_VIEW = "app.lib.error_responses.csrf_failed"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# Only with TLS: a browser that has received this header refuses plain HTTP for 30 days.
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if _public.scheme == "https" else 0
# Checks of `check --deploy` about what is not ours to decide, or does not apply to a box on http://localhost
# (app/operations/checks.py reports where plain HTTP is a mistake).
SILENCED_SYSTEM_CHECKS = [
    # Django looks for its middleware by name; refdesk.E005 looks for the classes (app/lib/asgi/middleware.py).
    "security.W001",
    "security.W002",
    "security.W003",
    "security.W005",  # HSTS for subdomains: they belong to other services of the organisation
    "security.W008",  # redirect to HTTPS: done by the proxy that ends TLS
    "security.W021",  # HSTS preload list: the domain's owner decides
    *(
        []
        if _public.scheme == "https"
        else ["security.W004", "security.W010", "security.W012", "security.W016"]  # HSTS and Secure cookies need TLS
    ),
]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "app.admin_site.app.RefdeskAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ninja",  # for the static files of the API's page, which would otherwise be loaded from another host
    "app.secrets",
    "app.audit",
    "app.plans",
    "app.jobs",
    "app.accounts",
    "app.oidc",
    "app.llm",
    "app.library",
    "app.retrieval",
    "app.bots",
    "app.chat",
    "app.analytics",
    "app.privacy",
    "app.portal",
    "app.operations",
]
# Every one of these is async: a synchronous one would cost each streamed answer a hop to a thread.
MIDDLEWARE = [
    "app.lib.tenancy.TenancyMiddleware",
    "app.lib.request_id.RequestIdMiddleware",
    *(["app.lib.request_log.RequestLogMiddleware"] if LOG_FORMAT == "json" else []),
    "app.audit.actors.ActorMiddleware",
    "app.plans.rate_limits.RateLimitMiddleware",
    "app.lib.error_responses.MethodErrorMiddleware",
    "app.lib.error_responses.ChallengeMiddleware",
    "app.lib.asgi.middleware.SecurityMiddleware",
    "app.lib.csp.ContentPolicyMiddleware",
    "app.lib.asgi.middleware.SessionMiddleware",
    "app.lib.asgi.middleware.CommonMiddleware",
    "app.lib.asgi.middleware.CsrfViewMiddleware",
    "app.lib.asgi.middleware.AuthenticationMiddleware",
    "app.lib.asgi.middleware.MessageMiddleware",
    "app.lib.asgi.middleware.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "app.urls"
ASGI_APPLICATION = "app.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps' own folders: some templates replace a page of Django admin or of Unfold.
        "DIRS": [ROOT / "app" / "admin_site" / "templates", ROOT / "app" / "portal" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {name: f"app.admin_site.templatetags.{name}" for name in ("column_labels", "main_landmark")},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "app" / "static"]

DATABASES = {"default": _database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": VALKEY_URL,
        "OPTIONS": {
            "serializer": "app.lib.cache_json.JsonSerializer",
            # A hung Valkey must not hang a sign-in.
            "socket_timeout": 1,
            "socket_connect_timeout": 1,
        },
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "portal"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = "app.lib.formats"

FILE_UPLOAD_HANDLERS = ["app.lib.asgi.form.UploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 200
# Space of the data folder's disk that uploads leave for PostgreSQL and the vectors, which handle a full disk worse than
# an upload does. Reading what was accepted may use half of it.
DISK_RESERVE_BYTES = 512 * 1024 * 1024
# Forms sent by people who have not signed in, per client address: a whole office may share one and sign in at nine.
DOOR_REQUESTS_PER_MINUTE = 60

# The green accent of the portal (app/static/refdesk), light to dark.
_LAMP = (
    "#f1f8f4",
    "#e3f1ea",
    "#bfe0cf",
    "#8fcbae",
    "#5fc79b",
    "#2b9a6c",
    "#0d6a4b",
    "#0b573e",
    "#094632",
    "#073727",
    "#042218",
)
# The portal's paper and ink: Unfold's grounds are 50 and white, in the dark 900 and 800; its text 500 to 900.
_PAPER = (
    "#fbfaf7",
    "#f3f1ea",
    "#e4e1d8",
    "#cbc7bb",
    "#a5a294",
    "#6a665b",
    "#5f5b52",
    "#3d4038",
    "#262922",
    "#1d1f1b",
    "#151613",
)
_WEIGHTS = (50, *range(100, 1000, 100), 950)
UNFOLD = {
    "SITE_TITLE": "Refdesk",
    "SITE_HEADER": "Refdesk",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: f"{STATIC_URL}refdesk/favicon.svg",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: f"{STATIC_URL}refdesk/favicon.svg"}
    ],
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": dict(zip(_WEIGHTS, _LAMP, strict=True)),
        "base": dict(zip(_WEIGHTS, _PAPER, strict=True)),
    },
    "SITE_SUBHEADER": "app.admin_site.organisation_switcher.organisation_title",
    "SITE_DROPDOWN": "app.admin_site.organisation_switcher.organisation_links",
    "DASHBOARD_CALLBACK": "app.analytics.admin.dashboard.dashboard",
    "STYLES": [lambda request: f"{STATIC_URL}refdesk/tokens.css", lambda request: f"{STATIC_URL}refdesk/admin.css"],
    "SCRIPTS": [lambda request: f"{STATIC_URL}refdesk/keys.js"],
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": "app.admin_site.navigation.navigation",
    },
}

_JSON = LOG_FORMAT == "json"
if _JSON:
    LOGGING_CONFIG = "app.lib.json_log.logging_configure"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
        "json": {"()": "app.lib.json_log.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "app": {"level": "INFO"},
        # Two lines a job would cost a tenth of a small file's ingest.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        # Three lines for each failed request to a store, with the names of objects; app/lib logs the failure once.
        "urllib3.connectionpool": {"level": "ERROR"},
        # One line a request.
        "httpx": {"level": "WARNING"},
        # A line an answer and a job, for programs.
        "app.chat.turns.end_log": {"level": "INFO" if _JSON else "WARNING"},
        "app.jobs.outcomes": {"level": "INFO" if _JSON else "WARNING"},
        # uvicorn has given them handlers of its own, which write text.
        **({"uvicorn": {"handlers": [], "propagate": True, "level": "INFO"}} if _JSON else {}),
    },
}
