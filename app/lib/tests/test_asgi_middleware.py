import threading
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.conf import Settings
from django.contrib.messages import add_message
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from app.settings import MIDDLEWARE


async def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


async def changes_session(request: HttpRequest) -> HttpResponse:
    await request.session.aset("seen", "yes")
    add_message(request, 20, "hello")
    return HttpResponse("ok")


async def shows_session(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await request.session.aget("seen", "no"))


async def takes(request: HttpRequest) -> HttpResponse:
    return HttpResponse("taken")


urlpatterns = [path(view.__name__, view) for view in (plain, changes_session, shows_session, takes)]


@pytest.fixture(autouse=True)
def urls(settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__


async def test_a_request_that_touches_no_session_uses_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    hops: list[Any] = []
    hop = SyncToAsync.__call__

    async def counted(self: SyncToAsync, *args: Any, **kwargs: Any) -> Any:
        hops.append(self.func)
        return await hop(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    response = await AsyncClient().get("/plain")
    assert response.status_code == 200
    # The test client closes its connections itself.
    assert [one for one in hops if "middleware" in getattr(one, "__module__", "")] == []


async def test_the_headers_are_django_s() -> None:
    response = await AsyncClient().get("/plain")
    same = await sync_to_async(Client().get)("/plain")
    for header in ("X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Content-Length"):
        assert response[header] == same[header]


@pytest.mark.django_db(transaction=True)
async def test_a_changed_session_is_saved_outside_the_loop() -> None:
    client = AsyncClient()
    assert (await client.get("/changes_session")).status_code == 200
    assert (await client.get("/shows_session")).content == b"yes"
    assert threading.current_thread() is threading.main_thread()


async def test_a_form_of_another_site_is_refused() -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    assert (await client.post("/takes")).status_code == 403


def test_every_middleware_of_the_settings_runs_in_the_loop() -> None:
    assert all(name.startswith("app.") for name in MIDDLEWARE)  # Django's own would hop to a thread
