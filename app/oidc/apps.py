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
    from app.oidc.bearer import caller_of_access_token  # loads what a box without OIDC has no use for

    return caller_of_access_token(token, slug)
