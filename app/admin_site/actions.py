"""What can be done with one row: a page that says what will happen, with a button that does it.

Unfold's own actions of rows are links that act when they are opened, so that any page elsewhere could act by naming
their address. Here an address opens a confirmation; only its form, which carries the CSRF token, acts.
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

# Does it; a text is the message of success, an answer is shown as it is.
Act = Callable[[Any, HttpRequest, Any], HttpResponse | str]


@dataclass(frozen=True, slots=True)
class Question:
    """What the confirmation asks.

    Attributes:
        words: what will happen, in a sentence or two.
        permission: change, delete or view, of the row.
        applies: whether there is anything to do with the row.
        choices: of one value that the form asks for besides: field, label, [(value, label)].
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
    """An entry for `actions_row` and `actions_detail` of a ScopedAdmin, called as `act(admin, request, row)`."""
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
                return _answer(page, request, row, act)
            return _ask(page, request, row, question)

        # What Unfold reads.
        marked = cast(Any, view)
        marked.short_description, marked.icon, marked.dialog = description, icon, None
        marked.attrs = {"data-danger": ""} if danger else {}
        marked.variant = ActionVariant.DANGER if danger else ActionVariant.DEFAULT
        marked.question, marked.allowed_permissions = question, [permission]
        return marked

    return decorate


def _list(page: Any) -> str:
    return reverse(f"admin:{page.model._meta.app_label}_{page.model._meta.model_name}_changelist")


def _back(page: Any, request: HttpRequest, row: Any) -> str:
    """The list if that is where the person came from, else the row's page."""
    listed = _list(page)
    from_list = request.POST.get("from") == "list"
    if from_list or not page.model._default_manager.filter(pk=row.pk).exists():
        return listed
    return f"{listed}{row.pk}/change/"


def _answer(page: Any, request: HttpRequest, row: Any, act: Act) -> HttpResponse:
    try:
        answer = act(page, request, row)
    except RefdeskError as error:
        messages.error(request, f"{error.message} {error.hint}")
        answer = ""
    if isinstance(answer, HttpResponse):
        return answer
    if answer:
        messages.success(request, answer)
    return HttpResponseRedirect(_back(page, request, row))


def _ask(page: Any, request: HttpRequest, row: Any, question: Question) -> HttpResponse:
    listed = _list(page)
    # By the path alone: a list may be filtered, and the row's page lies below it.
    came_from = request.headers.get("Referer", "").split("?", 1)[0]
    from_list = came_from.endswith(listed)
    context = {
        **page.admin_site.each_context(request),
        "title": question.description,
        "opts": page.model._meta,
        "row": row,
        "question": question,
        "applies": question.applies(row),
        "came_from": "list" if from_list else "row",
        "back": listed if from_list else f"{listed}{row.pk}/change/",
    }
    return TemplateResponse(request, "admin/accounts/confirm.html", context)
