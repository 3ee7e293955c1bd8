"""The side bar of the admin, short and by purpose. Detail pages are reached from the row they belong to."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from app.admin_site.organisation_switcher import organisation_chosen
from app.admin_site.roles import is_operator

# Title; entries: name, table, icon.
Group = tuple[str, tuple[tuple[str, str, str], ...]]
GROUPS: tuple[Group, ...] = (
    (
        "Library",
        (
            ("Documents", "library_document", "description"),
            ("Sources", "library_source", "folder"),
        ),
    ),
    (
        "Answers",
        (
            ("Bots", "bots_bot", "support_agent"),
            ("Model servers", "llm_modelendpoint", "dns"),
            ("Conversations", "chat_conversation", "forum"),
        ),
    ),
    (
        "Access",
        (
            ("Members", "accounts_membership", "group"),
            ("Invitations", "accounts_invitation", "mail"),
            ("Sign-in rules", "accounts_claimrule", "rule"),
            ("API keys", "accounts_apikey", "key"),
        ),
    ),
    (
        "Record",
        (
            ("Jobs", "jobs_job", "manufacturing"),
            ("Audit trail", "audit_auditentry", "history_edu"),
            ("Exports", "privacy_export", "download"),
            ("Erasures", "privacy_erasure", "delete_forever"),
            ("Retention", "privacy_retentionrun", "auto_delete"),
        ),
    ),
)
USAGE = "plans_usageentry"
# Pages of the box, for operators only.
BOX: Group = (
    "This box",
    (
        ("Organisations", "accounts_organisation", "apartment"),
        ("Plans", "plans_plan", "speed"),
        ("Accounts", "accounts_user", "person"),
        ("Identities", "accounts_identity", "badge"),
        ("Schedule", "jobs_schedule", "schedule"),
        ("Embedding model", "llm_embeddingchange", "hub"),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the entries of UNFOLD's SIDEBAR: the tables that the person may open."""
    viewable = {
        f"{model._meta.app_label}_{model._meta.model_name}"
        for model, page in admin.site._registry.items()
        if page.has_view_permission(request)
    }
    first = [{"title": "Dashboard", "icon": "space_dashboard", "link": reverse("admin:index")}]
    if USAGE in viewable:
        first.append({"title": "Usage", "icon": "monitoring", "link": reverse(f"admin:{USAGE}_changelist")})
    groups: list[dict[str, Any]] = [{"items": [*first, *_settings(request)]}]
    for title, entries in (*GROUPS, *([BOX] if is_operator(request) else [])):
        items = [
            {"title": name, "icon": icon, "link": reverse(f"admin:{model}_changelist")}
            for name, model, icon in entries
            if model in viewable
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def _settings(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the link to the settings of the chosen organisation, or to the list of several."""
    organisation = organisation_chosen(request)
    if organisation is not None:
        link = reverse("admin:accounts_organisation_change", args=[organisation.pk])
        return [{"title": "Settings", "icon": "tune", "link": link}]
    if is_operator(request):
        return []
    address = reverse("admin:accounts_organisation_changelist")
    return [{"title": "Organisations", "icon": "apartment", "link": address}]
