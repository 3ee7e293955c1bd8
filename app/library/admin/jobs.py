from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from app.admin_site.tenant_admin import ReadOnlyAdmin, display
from app.library.models import Job

STATES = {"done": "success", "failed": "danger", "running": "info", "queued": "info", "cancelled": "warning"}


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    when_empty = "Jobs are the work on documents. They begin by themselves when a document is added."
    list_display = ("document", "organisation", "kind", "state_shown", "step", "attempt", "error_code", "updated")
    list_select_related = ("organisation", "document")
    list_filter = ("organisation", "state", "kind", "error_code")
    search_fields = ("document__name",)
    ordering = ("-id",)

    @display(description="State", ordering="state", label=STATES)
    def state_shown(self, obj: Job) -> str:
        return obj.state

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # Ids of points and names of objects say nothing to a person.
        return [*super().get_exclude(request, obj), "targets", "version"]
