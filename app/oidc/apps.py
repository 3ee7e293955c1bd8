from typing import TYPE_CHECKING

from django.apps import AppConfig

from app.errors import RefdeskError

if TYPE_CHECKING:
    from app.accounts.auth import Caller


class OidcConfig(AppConfig):
    name = "app.oidc"
    label = "oidc"

    def ready(self) -> None:
        from app.accounts.auth import access_tokens_accept

        access_tokens_accept(_read_access_token)


def _read_access_token(token: str, slug: str | None) -> "Caller":
    from app.oidc.token_revocation import oidc_configured

    if not oidc_configured():
        raise RefdeskError("bad_api_key")
    from app.oidc.bearer import caller_for_access_token  # a box without OIDC does not load it

    return caller_for_access_token(token, slug)
