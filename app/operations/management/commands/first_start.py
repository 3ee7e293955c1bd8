import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from app import env
from app.accounts.choices import Role
from app.accounts.first_admin import first_admin_link, operator_exists
from app.accounts.models import Membership, Organisation, User
from app.accounts.services import membership_create, organisation_create, user_create
from app.bots.models import Bot
from app.bots.services import bot_create
from app.errors import RefdeskError
from app.library.services.sources import source_for_uploads
from app.oidc.claim_rules import claim_rule_save
from app.operations.sample_library import sample_starters, samples_load

SLUG = "default"
NAME = "Reference desk"
# Groups of compose/keycloak/realm.json.
GROUPS = {f"refdesk-{role}s": role for role in (Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER)}


class Command(BaseCommand):
    help = "Make what a new box needs: an organisation, its owner, a bot, the sample library. Does nothing twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--admin-link",
            action="store_true",
            help="without REFDESK_ADMIN_EMAIL and REFDESK_ADMIN_PASSWORD: print a link that makes the first admin, "
            "instead of a password",
        )
        parser.add_argument(
            "--keycloak-groups",
            action="store_true",
            help="the groups of compose/keycloak/realm.json give roles in the first organisation",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # One transaction, in which the password is shown before the commit: a killed start shows another password next
        # time, and never leaves an owner whose password nobody saw.
        try:
            with transaction.atomic():
                self._prepare(by_link=options["admin_link"], keycloak_groups=options["keycloak_groups"])
        except RefdeskError as error:
            raise SystemExit(f"The first start did not succeed: {error.message}") from error

    def _prepare(self, *, by_link: bool, keycloak_groups: bool) -> None:
        organisation = Organisation.objects.filter(slug=SLUG).first()
        fresh = organisation is None
        if organisation is None:
            organisation = organisation_create(slug=SLUG, name="My organisation")
            if keycloak_groups:
                self._make_rules(organisation)
        samples = fresh and bool(env.read("REFDESK_SAMPLES"))
        source = source_for_uploads(organisation=organisation)
        if not Bot.objects.filter(organisation=organisation).exists():
            starters = {"starters": sample_starters()} if samples else {}
            bot_create(organisation=organisation, slug=SLUG, name=NAME, settings=starters)
        if samples:
            count = samples_load(source=source)
            self.stdout.write(f"{count} sample documents are queued; they can be asked about in a moment.")
        if Membership.objects.filter(organisation=organisation, role=Role.OWNER).exists():
            return
        if by_link and not (env.is_given("REFDESK_ADMIN_EMAIL") and env.is_given("REFDESK_ADMIN_PASSWORD")):
            self._show_link()
        else:
            self._make_owner(organisation)

    def _make_rules(self, organisation: Organisation) -> None:
        for group, role in GROUPS.items():
            claim_rule_save(
                organisation=organisation.id,
                claim_rule=None,
                claim="groups",
                value=group,
                role=role,
                actor_role=Role.OWNER,
            )

    def _show_link(self) -> None:
        """Print how to sign in. A log, which more people read, gets a link valid for a day and no password."""
        if not operator_exists():
            self.stdout.write(f"Open this link within a day to become the first admin:\n{first_admin_link()}")
            self.stdout.flush()

    def _make_owner(self, organisation: Organisation) -> None:
        email = str(env.read("REFDESK_ADMIN_EMAIL"))
        given = env.read("REFDESK_ADMIN_PASSWORD")
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            password = given or secrets.token_urlsafe(12)
            user = user_create(email=email, password=password, is_operator=True)
            if not given:
                self._show(email, password)
        membership_create(organisation=organisation, user=user, role=Role.OWNER)

    def _show(self, email: str, password: str) -> None:
        lines = ["Sign in with", f"  e-mail    {email}", f"  password  {password}", "It is shown this once: keep it."]
        width = max(map(len, lines))
        frame = "+" + "-" * (width + 2) + "+"
        self.stdout.write("\n".join([frame, *(f"| {line:<{width}} |" for line in lines), frame]))
        self.stdout.flush()
