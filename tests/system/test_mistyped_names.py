"""A mistyped name is answered with the one that was meant, and a setting that cannot work stops the start."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import BaseCommand, CommandError, call_command, get_commands, load_command_class

from app import env
from app.accounts.models import Organisation
from app.accounts.services import organisation_create
from app.bots.services import bot_create
from app.embedded import __main__ as embedded
from app.embedded.box import Box
from app.embedded.startup import Plan
from app.lib.nearest_name import did_you_mean
from app.library.services.sources import source_create

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(env.NAMES)


def test_an_unknown_setting_names_the_nearest_one() -> None:
    for name in NAMES:
        # Two letters of its middle swapped, and the sign between two words forgotten.
        middle = len("REFDESK_") + 1
        for wrong in (name[:middle] + name[middle + 1] + name[middle] + name[middle + 2 :], name + "S"):
            if wrong in env.NAMES:
                continue
            with pytest.raises(env.EnvError, match=rf"{wrong} is not a setting of Refdesk\. Did you mean ") as error:
                env.check_names({wrong: "x"})
            assert str(error.value).count("\n") == 0
    with pytest.raises(env.EnvError, match=r"Did you mean REFDESK_OIDC_CLIENT_SECRET_FILE\?"):
        env.check_names({"REFDESK_OIDC_SECRET_FILE": "/x"})
    with pytest.raises(env.EnvError, match=r"REFDESK_XYZZY is not a setting of Refdesk\. The names are listed"):
        env.check_names({"REFDESK_XYZZY": "x"})


def test_the_nearest_name_is_found_in_any_letter_case_and_nothing_far() -> None:
    assert did_you_mean("acne", ["Acme", "other"]) == " Did you mean Acme?"
    assert did_you_mean("quux", ["Acme", "other"]) == ""
    assert did_you_mean("", []) == ""


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://desk.example.org/refdesk", "must be the root of a host, as https://desk.example.org"),
        ("https://desk.example.org/?a=b", "must be the root of a host"),
        ("https://desk.example.org?", "must be the root of a host"),
        ("https://desk.example.org/#top", "must be the root of a host"),
        ("https://maud:secret@desk.example.org", "must not hold a name or a password"),
        ("desk.example.org", "must be an address that begins with http:// or https://"),
        ("desk.example.org:8000", "must be an address that begins with http:// or https://"),
        ("//desk.example.org", "must be an address that begins with http:// or https://"),
        ("ftp://desk.example.org", "must be an address that begins with http:// or https://"),
        ("https://", "must be an address that begins with http:// or https://"),
        ("https://desk.example.org:99999", "must have a port number"),
        ("https://desk.example.org:https", "must have a port number"),
        ("https://[::1", "Invalid IPv6 URL"),
        ("https://desk example.org", "must name a host in plain letters"),
        ("https://büro.example.org", "must name a host in plain letters"),
        ("https://Desk.Example.org", "must be written as browsers write it, https://desk.example.org"),
        ("https://desk.example.org:443", "must be written as browsers write it, https://desk.example.org"),
        ("http://desk.example.org:80/", "must be written as browsers write it, http://desk.example.org"),
    ],
)
def test_a_public_address_that_cannot_work_is_refused_with_one_line(url: str, reason: str) -> None:
    with pytest.raises(env.EnvError) as error:
        env.read("REFDESK_URL", {"REFDESK_URL": url})
    text = str(error.value)
    assert text.startswith(f"REFDESK_URL {reason}")
    assert "\n" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://desk.example.org/", "https://desk.example.org"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://desk_2.example.org:8443", "https://desk_2.example.org:8443"),
    ],
)
def test_a_public_address_that_works_is_taken(url: str, address: str) -> None:
    assert env.read("REFDESK_URL", {"REFDESK_URL": url}) == address


def never_started(box: Box) -> Plan:
    raise AssertionError("a box was to be started")


REFUSAL = "Refdesk cannot run: REFDESK_URL must be the root of a host"


def test_a_setting_that_cannot_work_stops_the_start_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("REFDESK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("REFDESK_URL", "https://desk.example.org/refdesk")
    assert embedded.main([], never_started) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(REFUSAL)
    assert not (tmp_path / "data").exists()


def test_a_part_of_the_appliance_refuses_it_too() -> None:
    environment = {**os.environ, "REFDESK_URL": "https://desk.example.org/refdesk"}
    command = [sys.executable, "-m", "app.appliance", "beat"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.startswith(REFUSAL)) == (1, True)


def organisation_commands() -> list[tuple[BaseCommand, list[str]]]:
    """Return every command of ours that takes the slug of an organisation, with arguments that name `acne`."""
    found = []
    for name, app in get_commands().items():
        if not str(app).startswith("app."):
            continue
        command = load_command_class(str(app), name)
        parser = command.create_parser("manage.py", name)
        actions = {action.dest: action for action in parser._actions}
        if "organisation" not in actions:
            continue
        arguments = []
        for action in parser._actions:
            if action.dest == "organisation":
                arguments += ["--organisation", "acne"] if action.option_strings else ["acne"]
            elif not action.option_strings:
                arguments.append("x")
            elif action.required:
                arguments += [action.option_strings[0], "x"]
        found.append((command, [*arguments, "--yes"] if "yes" in actions else arguments))
    return found


@pytest.mark.django_db
def test_every_command_names_the_organisation_that_was_meant(acme: Organisation, subtests: pytest.Subtests) -> None:
    commands = organisation_commands()
    assert len(commands) >= 9
    for command, arguments in commands:
        with (
            subtests.test(command=command.__module__),
            pytest.raises(CommandError, match=r"'acne'. Did you mean acme\?"),
        ):
            call_command(command, *arguments, stdout=io.StringIO(), stderr=io.StringIO())


@pytest.mark.django_db
def test_commands_name_the_plan_the_bot_and_the_source_that_were_meant(tmp_path: Path) -> None:
    acme = organisation_create(slug="acme")
    bot_create(organisation=acme, slug="support", name="Support")
    source_create(organisation=acme, name="Handbooks")
    options: dict[str, Any] = {"stdout": io.StringIO(), "stderr": io.StringIO()}
    with pytest.raises(CommandError, match=r"'standart'. Did you mean standard\? There are: "):
        call_command("organisation_create", "beta", "--plan", "standart", **options)
    with pytest.raises(CommandError, match=r"'standart'. Did you mean standard\?"):
        call_command("api_key_create", "--organisation", "acme", "--name", "x", "--plan", "standart", **options)
    with pytest.raises(CommandError, match=r"no bot 'suport' in acme. Did you mean support\?"):
        call_command("ask", "suport", "What?", "--organisation", "acme", **options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        call_command("ingest", str(tmp_path / "empty"), "--organisation", "acme", "--source", "Handboks", **options)
    assert options["stderr"].getvalue() == "Made the source 'Handboks'. Did you mean Handbooks?\n"


def test_a_blank_organisation_is_no_organisation_in_any_command(db: Any) -> None:
    """A variable that is not set in a script must never mean all organisations."""
    tried = []
    for name, app_name in get_commands().items():
        if not str(app_name).startswith("app."):
            continue
        command = load_command_class(str(app_name), name)
        options = command.create_parser("manage.py", name)._actions
        if not any("--organisation" in option.option_strings for option in options):
            continue
        tried.append(name)
        words = ["x"] * sum(1 for option in options if not option.option_strings)
        required = [f"{option.option_strings[0]}=x" for option in options if option.option_strings and option.required]
        yes = ["--yes"] if any("--yes" in option.option_strings for option in options) else []
        with pytest.raises(CommandError):
            call_command(
                name, *words, *[each for each in required if "--organisation" not in each], *yes, "--organisation="
            )
    assert {"person_erase", "retention_run", "audit_verify", "api_key_create"} <= set(tried)
