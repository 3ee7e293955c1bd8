"""The ASGI application of the web process: static files, then Django. `uvicorn app.asgi:application`."""

import os
from importlib import import_module
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app.lib.asgi.handler import ThreadReusingHandler
from app.lib.asgi.lifespan import run_lifespan
from app.lib.error_reports import error_reports_start

django.setup(set_prefix=False)
error_reports_start("web")
# Django loads the routes at the first request: too late for the start-up hooks that their modules register.
import_module(settings.ROOT_URLCONF)
django_application = ThreadReusingHandler(
    {
        # Twenty files of the largest size in one request.
        "/api/v1/documents": 20 * settings.UPLOAD_MAX_BYTES,
        # One file with its metadata.
        "/api/v1/sources/[0-9a-f-]{36}/documents": settings.UPLOAD_MAX_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    }
)


def _static_folders() -> list[str]:
    folders: dict[str, None] = {}
    for finder in get_finders():
        for _name, storage in finder.list([]):
            folders[storage.location] = None
    return list(folders)


class _Files(StaticFiles):
    """Static files from every app's folder, without a collectstatic step."""

    def __init__(self, folders: list[str]) -> None:
        super().__init__()
        self.all_directories = list(folders)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Serve a file with an order to ask each time (a 304 mostly): names do not change with content, so an upgrade
        must show.
        """
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


# Only static files are compressed: a stream must not wait in a compressor's buffer.
# Without ExceptionMiddleware a missing file would be a server error.
static_application = GZipMiddleware(ExceptionMiddleware(_Files(_static_folders())), minimum_size=500)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await run_lifespan(receive, send)
    elif scope["type"] == "http" and scope["path"].startswith("/static/"):
        # Starlette treats `root_path` as the address of the mount.
        await static_application({**scope, "root_path": "/static"}, receive, send)
    else:
        await django_application(scope, receive, send)
