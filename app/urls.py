from django.contrib import admin
from django.urls import path

from app.api import api
from app.chat import views as chat
from app.library.views import documents, sources
from app.oidc import views as oidc
from app.operations import views as operations
from app.portal import views as portal
from app.portal.members import show_members
from app.portal.theme import show_theme
from app.privacy import views as privacy

handler400 = "app.lib.error_responses.bad_request"
handler403 = "app.lib.error_responses.not_allowed"
handler404 = "app.lib.error_responses.not_found"
handler500 = "app.lib.error_responses.server_error"

urlpatterns = [
    path("", chat.show_portal, name="portal"),
    path("c/<uuid:conversation_id>", chat.show_conversation, name="conversation"),
    path("documents", documents.show_documents, name="documents"),
    path("documents/<uuid:document_id>", documents.show_document, name="document"),
    path("sources", sources.show_sources, name="sources"),
    path("sources/new", sources.make_source, name="make_source"),
    path("sources/<uuid:source_id>", sources.show_source, name="source"),
    path("sources/<uuid:source_id>/runs", sources.start_run, name="start_run"),
    path("account", portal.show_account, name="account"),
    path("members", show_members, name="members"),
    path("accounts/sign-in", portal.sign_in, name="sign_in"),
    path("accounts/sign-out", portal.sign_out, name="sign_out"),
    path("accounts/forgot", portal.forgot_password, name="forgot_password"),
    path("accounts/reset/<str:token>", portal.reset_password, name="reset_password"),
    path("accounts/organisation", portal.switch_organisation, name="switch_organisation"),
    path("setup/<str:token>", portal.claim_first_admin, name="first_admin"),
    path("accounts/invitations/<str:token>", portal.accept_invitation, name="accept_invitation"),
    path("accounts/oidc/sign-in", oidc.oidc_begin, name="oidc_begin"),
    path("accounts/oidc/callback", oidc.oidc_callback, name="oidc_callback"),
    path("accounts/oidc/logout", oidc.oidc_logout, name="oidc_logout"),
    path("accounts/oidc/link", oidc.oidc_link, name="oidc_link"),
    path("accounts/oidc/unlink", oidc.oidc_unlink, name="oidc_unlink"),
    path("theme/<str:colour>.css", show_theme, name="theme"),
    path("account/data", privacy.show_own_data, name="own_data"),
    path("account/exports/<uuid:export_id>", privacy.download_export, name="download_export"),
    path("health", operations.show_health, name="health"),
    path("ready", operations.show_ready, name="ready"),
    path("metrics", operations.show_metrics, name="metrics"),
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
]
