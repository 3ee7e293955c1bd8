"""Actions on one row of an admin page: a confirmation with a button that performs the action.

Unfold's own row actions are links that act when they are opened, so that any foreign page could trigger them by a link.
Here an address opens a confirmation; only its form, which has the CSRF token, acts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.enums import ActionVariant

from app.errors import RefdeskError

# Performs the action; a text is the message of success, a response is returned unchanged.
Act = Callable[[Any, HttpRequest, Any], HttpResponse | str]


@dataclass(frozen=True, slots=True)
class Question:
    """A confirmation.

    Attributes:
        words: the consequence, in a sentence or two.
        permission: change, delete or view, on the row.
        applies: whether the action makes sense for the row.
        choices: an additional value of the form: field, label, [(value, label)].
    """

    description: str
    icon: str
    words: str
    permission: str
    danger: bool
    applies: Callable[[Any], bool]
    choices: tuple[str, str, tuple[tuple[str, str], ...]] | None


def object_action(
    *,
    description: str,
    words: str,
    icon: str = "",
    permission: str = "change",
    danger: bool = False,
    applies: Callable[[Any], bool] = lambda row: True,
    choices: tuple[str, str, tuple[tuple[str, str], ...]] | None = None,
) -> Callable[[Act], Any]:
    """Make an entry for `actions_row` and `actions_detail` of a ScopedAdmin, called as `act(admin, request, row)`."""
    question = Question(description, icon, words, permission, danger, applies, choices)

    def decorate(act: Act) -> Any:
        @wraps(act)
        def view(page: Any, request: HttpRequest, object_id: str) -> HttpResponse:
            row = page.get_object(request, unquote(object_id))
            if row is None:
                raise Http404
            if not getattr(page, f"has_{permission}_permission")(request, row):
                raise PermissionDenied
            if request.method == "POST":
                return _perform(page, request, row, act)
            return _confirm(page, request, row, question)

        # Unfold reads these attributes.
        entry = cast(Any, view)
        entry.short_description, entry.icon, entry.dialog = description, icon, None
        entry.attrs = {"data-danger": ""} if danger else {}
        entry.variant = ActionVariant.DANGER if danger else ActionVariant.DEFAULT
        entry.question, entry.allowed_permissions = question, [permission]
        return entry

    return decorate


def _list_address(page: Any) -> str:
    return reverse(f"admin:{page.model._meta.app_label}_{page.model._meta.model_name}_changelist")


def _next_address(page: Any, request: HttpRequest, row: Any) -> str:
    """Return the address of the list if the person came from it, else of the row's page."""
    list_address = _list_address(page)
    from_list = request.POST.get("from") == "list"
    if from_list or not page.model._default_manager.filter(pk=row.pk).exists():
        return list_address
    return f"{list_address}{row.pk}/change/"


def _perform(page: Any, request: HttpRequest, row: Any, act: Act) -> HttpResponse:
    try:
        response = act(page, request, row)
    except RefdeskError as error:
        messages.error(request, f"{error.message} {error.hint}")
        response = ""
    if isinstance(response, HttpResponse):
        return response
    if response:
        messages.success(request, response)
    return HttpResponseRedirect(_next_address(page, request, row))


def _confirm(page: Any, request: HttpRequest, row: Any, question: Question) -> HttpResponse:
    list_address = _list_address(page)
    # Compared by path alone: a list may be filtered, and the row's page lies below it.
    came_from = request.headers.get("Referer", "").split("?", 1)[0]
    from_list = came_from.endswith(list_address)
    context = {
        **page.admin_site.each_context(request),
        "title": question.description,
        "opts": page.model._meta,
        "row": row,
        "question": question,
        "applies": question.applies(row),
        "came_from": "list" if from_list else "row",
        "back": list_address if from_list else f"{list_address}{row.pk}/change/",
    }
    return TemplateResponse(request, "admin/accounts/confirm.html", context)
