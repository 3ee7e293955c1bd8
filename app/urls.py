from django.contrib import admin
from django.urls import path

from app.accounts import views as accounts
from app.api import api
from app.chat import views as chat
from app.ops import views as ops
from app.sources import views as sources

handler400 = "app.lib.error_answers.bad_request"
handler403 = "app.lib.error_answers.not_allowed"
handler404 = "app.lib.error_answers.not_found"
handler500 = "app.lib.error_answers.server_error"

urlpatterns = [
    path("", chat.show_portal, name="portal"),
    path("c/<uuid:conversation_id>", chat.show_conversation, name="conversation"),
    path("documents", sources.show_documents, name="documents"),
    path("documents/<uuid:document_id>", sources.show_document, name="document"),
    path("account", accounts.show_account, name="account"),
    path("accounts/sign-in", accounts.sign_in, name="sign_in"),
    path("accounts/sign-out", accounts.sign_out, name="sign_out"),
    path("accounts/invitations/<str:token>", accounts.accept_invitation, name="accept_invitation"),
    path("health", ops.show_health, name="health"),
    path("ready", ops.show_ready, name="ready"),
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
]
