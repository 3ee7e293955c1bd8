from django.contrib import admin
from django.urls import path

from app.api import api

handler400 = "app.lib.error_answers.bad_request"
handler403 = "app.lib.error_answers.not_allowed"
handler404 = "app.lib.error_answers.not_found"
handler500 = "app.lib.error_answers.server_error"

urlpatterns = [
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
]
