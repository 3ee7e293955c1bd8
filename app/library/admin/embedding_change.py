from typing import Any

from django import forms
from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminTextInputWidget

from app.admin_site.actions import object_action
from app.admin_site.tenant_admin import ScopedAdmin, display
from app.errors import CODES
from app.library.selectors.embedding_change import (
    bytes_needed,
    duration,
    percent_filled,
    seconds_left,
    share_above_limit,
)
from app.library.services.embedding_change import (
    change_abandon,
    change_drop,
    change_measure,
    change_pause,
    change_resume,
    change_start,
    change_switch,
)
from app.llm.choices import BEFORE_SWITCH, ChangeState
from app.llm.models import EmbeddingChange
from app.secrets.fields import Change, SecretField

STATES = {
    "measured": "info",
    "filling": "info",
    "paused": "warning",
    "ready": "success",
    "switched": "success",
    "done": "success",
    "abandoned": "warning",
}
AGAIN_S = 5
MEASURED = ("state_shown", "progress", "address", "model", "dimensions", "limit", "cost", "storage", "split", "failure")


def in_state(*states: ChangeState) -> Any:
    return lambda row: row.state in states


class MeasureForm(forms.ModelForm):  # type: ignore[type-arg]
    api_key = SecretField(label="API key")

    class Meta:
        model = EmbeddingChange
        fields = ("url", "model")
        widgets = {"url": UnfoldAdminTextInputWidget, "model": UnfoldAdminTextInputWidget}
        help_texts = {
            "url": "Of a server that speaks OpenAI's API, ending in /v1. Empty: the one of REFDESK_EMBEDDINGS_URL.",
            "model": "Empty: the server's first.",
        }


@admin.register(EmbeddingChange)
class EmbeddingChangeAdmin(ScopedAdmin):
    """The change of the box's embedding model: what it costs, how far it is, and its buttons. For operators only."""

    box_only = True
    may_add = may_change = True
    when_empty = (
        "The model of REFDESK_EMBEDDINGS_* makes the vectors. To change it, add another one: its cost is measured, and "
        "nothing changes yet. Then a second index is filled while questions and uploads go on, and you switch."
    )
    add_words = "Measure what it costs"
    form = MeasureForm
    list_display = ("model", "state_shown", "progress", "dimensions", "address", "cost", "created")
    ordering = ("-created",)
    actions_row = actions_detail = ("start", "pause", "resume", "switch", "drop", "abandon")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["url", "model", "api_key"] if obj is None else list(MEASURED)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else [*MEASURED]

    @display(description="State", ordering="state", label=STATES)
    def state_shown(self, obj: EmbeddingChange) -> str:
        return obj.state

    @display(description="Progress")
    def progress(self, obj: EmbeddingChange) -> str:
        if obj.started is None:
            return ""
        percent = percent_filled(obj)
        going = obj.state in (ChangeState.FILLING, ChangeState.PAUSED)
        left = f", about {duration(seconds_left(obj))} left" if going else ""
        return format_html(
            '<progress value="{}" max="100" aria-label="Filled"></progress> {}% ({} of {} passages{})',
            percent,
            percent,
            obj.passages if percent == 100 else min(obj.filled, obj.passages),
            obj.passages,
            left,
        )

    @display(description="Server")
    def address(self, obj: EmbeddingChange) -> str:
        return obj.url or "REFDESK_EMBEDDINGS_URL"

    @display(description="Tokens of a text at most")
    def limit(self, obj: EmbeddingChange) -> str:
        return str(obj.max_tokens or "not stated; 512 are assumed")

    @display(description="Cost")
    def cost(self, obj: EmbeddingChange) -> str:
        if not obj.sample:
            return "nothing to embed"
        return (
            f"{obj.passages} passages of about {obj.tokens} tokens, {duration(obj.passages * obj.passage_s)} "
            f"({obj.passage_s * 1000:.0f} ms a passage, measured with {obj.sample})"
        )

    @display(description="Storage")
    def storage(self, obj: EmbeddingChange) -> str:
        return filesizeformat(bytes_needed(obj))

    @display(description="Above its limit")
    def split(self, obj: EmbeddingChange) -> str:
        return f"{share_above_limit(obj):.0%} of the sample; these are embedded in parts, and nothing is cut off"

    @display(description="Why it waits")
    def failure(self, obj: EmbeddingChange) -> str:
        if not obj.error_code:
            return ""
        entry = CODES.get(obj.error_code)
        return f"{obj.error_message or obj.error_code} {entry.hint if entry else ''}".strip()

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._refreshed(request, super().changelist_view(request, *args, **kwargs))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._refreshed(request, super().changeform_view(request, *args, **kwargs))

    def _refreshed(self, request: HttpRequest, response: Any) -> Any:
        filling = EmbeddingChange.objects.filter(state=ChangeState.FILLING).exists()
        if request.method == "GET" and filling and not request.path.endswith("/add/"):
            response["Refresh"] = str(AGAIN_S)
        return response

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if kwargs.get("obj") is not None:
            context.update(show_save=False, show_save_and_continue=False, show_close=True)
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def object_save(self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool) -> None:
        if change:
            return
        key = form.cleaned_data["api_key"]
        saved = change_measure(
            url=form.cleaned_data["url"],
            model=form.cleaned_data["model"],
            api_key="" if isinstance(key, Change) else key,
        )
        obj.pk = saved.pk
        obj.__dict__.update(saved.__dict__)

    @object_action(
        description="Start",
        words="A second index is filled in the background. Questions and uploads go on; uploads are written to both.",
        icon="play_arrow",
        applies=in_state(ChangeState.MEASURED),
    )
    def start(self, request: HttpRequest, obj: EmbeddingChange) -> str:
        change_start(change=obj.pk)
        return "The second index is being filled."

    @object_action(
        description="Pause",
        words="Filling stops within seconds and can be resumed. Uploads are still written to both indexes.",
        icon="pause",
        applies=in_state(ChangeState.FILLING),
    )
    def pause(self, request: HttpRequest, obj: EmbeddingChange) -> str:
        change_pause(change=obj.pk)
        return "Paused."

    @object_action(
        description="Resume",
        words="Filling goes on where it stopped.",
        icon="play_arrow",
        applies=in_state(ChangeState.PAUSED),
    )
    def resume(self, request: HttpRequest, obj: EmbeddingChange) -> str:
        change_resume(change=obj.pk)
        return "The second index is being filled."

    @object_action(
        description="Switch",
        words="Questions are answered with the new model, in every process within two seconds. "
        "The old index is dropped after a day.",
        icon="swap_horiz",
        applies=in_state(ChangeState.READY),
    )
    def switch(self, request: HttpRequest, obj: EmbeddingChange) -> str:
        change_switch(change=obj.pk)
        return f"{obj.model} answers from now on."

    @object_action(
        description="Drop the old index",
        words="The old index and its vectors are deleted, at the earliest a minute after the switch. "
        "To go back, everything has to be embedded again.",
        icon="delete",
        danger=True,
        applies=in_state(ChangeState.SWITCHED),
    )
    def drop(self, request: HttpRequest, obj: EmbeddingChange) -> str:
        change_drop(change=obj.pk)
        return "The old index is being dropped."

    @object_action(
        description="Abandon",
        words="The second index is deleted. The model in use stays.",
        icon="cancel",
        danger=True,
        applies=in_state(ChangeState.MEASURED, *BEFORE_SWITCH),
    )
    def abandon(self, request: HttpRequest, obj: EmbeddingChange) -> str:
        change_abandon(change=obj.pk)
        return "Abandoned."
