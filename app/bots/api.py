from typing import Any

from django.db import transaction
from ninja import Router, Status
from ninja.pagination import paginate

from app.accounts.auth import ApiRequest, Caller, policy
from app.accounts.choices import Role, Scope
from app.accounts.models import Organisation, User
from app.bots.models import Bot
from app.bots.schemas import BotIn, BotOut, BotPatch, RestoreIn, RevisionOut
from app.bots.selectors import bot_get, bot_list, bot_payload, revision_list, revision_payload
from app.bots.services import bot_create, bot_delete, bot_update, revision_restore
from app.lib.cursor_pagination import TimePagination

router = Router(tags=["bots"])


def _bot(caller: Caller, slug: str) -> Bot:
    return bot_get(organisation=caller.organisation_id, slug=slug)


def _person(caller: Caller) -> User | None:
    return User.objects.filter(pk=caller.user_id).first() if caller.user_id else None


@router.get("/bots", auth=policy(Role.VIEWER, Scope.BOTS_READ), response=list[BotOut])
@paginate(TimePagination, ordering=("created", "id"), payload=bot_payload)
def list_bots(request: ApiRequest) -> Any:
    """List the bots of the organisation."""
    return bot_list(organisation=request.caller.organisation_id)


@router.post("/bots", auth=policy(Role.ADMIN, Scope.BOTS_WRITE), response={201: BotOut})
@transaction.atomic
def create_bot(request: ApiRequest, bot: BotIn) -> Any:
    """Make a bot. A slug is taken once: making it again answers 409."""
    settings = bot.model_dump(exclude={"slug", "name", "sources"})
    organisation = Organisation.objects.get(pk=request.caller.organisation_id)
    person = _person(request.caller)
    row = bot_create(organisation=organisation, slug=bot.slug, name=bot.name, settings=settings, created_by=person)
    bot_update(organisation=organisation.pk, bot=row, sources=bot.sources)
    return Status(201, bot_payload(_bot(request.caller, row.slug)))


@router.get("/bots/{slug}", auth=policy(Role.VIEWER, Scope.BOTS_READ), response=BotOut)
def get_bot(request: ApiRequest, slug: str) -> Any:
    """Return a bot with its settings."""
    return bot_payload(_bot(request.caller, slug))


@router.patch("/bots/{slug}", auth=policy(Role.ADMIN, Scope.BOTS_WRITE), response=BotOut)
def update_bot(request: ApiRequest, slug: str, changes: BotPatch) -> Any:  # type: ignore[valid-type]
    """Change a bot's name or settings, as a new revision."""
    values: dict[str, Any] = changes.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
    bot_update(
        organisation=request.caller.organisation_id,
        bot=_bot(request.caller, slug),
        name=values.pop("name", None),
        sources=values.pop("sources", None),
        settings=values,
        updated_by=_person(request.caller),
    )
    return bot_payload(_bot(request.caller, slug))


@router.delete("/bots/{slug}", auth=policy(Role.ADMIN, Scope.BOTS_WRITE), response={204: None})
def delete_bot(request: ApiRequest, slug: str) -> Any:
    """Delete a bot with its conversations."""
    bot_delete(organisation=request.caller.organisation_id, bot=_bot(request.caller, slug))
    return Status(204, None)


@router.get("/bots/{slug}/revisions", auth=policy(Role.VIEWER, Scope.BOTS_READ), response=list[RevisionOut])
@paginate(TimePagination, payload=revision_payload)
def list_revisions(request: ApiRequest, slug: str) -> Any:
    """Return the revisions of a bot, the newest first."""
    return revision_list(organisation=request.caller.organisation_id, bot=_bot(request.caller, slug))


@router.post("/bots/{slug}/restore", auth=policy(Role.ADMIN, Scope.BOTS_WRITE), response={201: RevisionOut})
def restore_revision(request: ApiRequest, slug: str, restore: RestoreIn) -> Any:
    """Make an earlier revision's settings live again, as a new revision."""
    revision = revision_restore(
        organisation=request.caller.organisation_id,
        bot=_bot(request.caller, slug),
        number=restore.revision,
        restored_by=_person(request.caller),
    )
    return Status(201, revision_payload(revision))
