"""The pages name every setting and error code, and nothing that does not exist."""

import re
from pathlib import Path

import pytest

from app.env import NAMES, TEST_PREFIX
from app.errors import CODES
from tools.reference import EXAMPLES, ROOT, compose_names, page_with, reference_pages

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md", ROOT / ".env.example"]


def test_the_reference_pages_equal_the_code() -> None:
    stale = [path.name for path, text in reference_pages().items() if path.read_text("utf-8") != text]
    assert stale == [], "run scripts/reference"


def test_every_setting_is_documented_with_an_example_that_is_accepted() -> None:
    assert list(EXAMPLES) == list(NAMES)
    for name, example in EXAMPLES.items():
        NAMES[name].read(example)


def test_env_example_has_exactly_the_settings() -> None:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    assert [line[1:].split("=")[0] for line in lines if re.match(r"#\w+=", line)] == [*NAMES, *compose_names()]


def test_every_error_code_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(CODES)


def test_a_page_names_only_settings_that_exist(subtests: pytest.Subtests) -> None:
    for page in PAGES:
        with subtests.test(page=page):
            named = set(re.findall(r"REFDESK_[A-Z0-9_]*[A-Z0-9]", page.read_text("utf-8")))
            known = set(NAMES) | {f"{name}_FILE" for name in NAMES}
            assert {name for name in named - known if not f"{name}_".startswith(TEST_PREFIX)} == set()


def test_links_between_pages_lead_to_files(subtests: pytest.Subtests) -> None:
    for page in PAGES:
        with subtests.test(page=page):
            text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
            targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
            missing = [target for target in targets if target and not (page.parent / target).exists()]
            assert missing == []


def test_links_into_a_page_lead_to_a_heading(subtests: pytest.Subtests) -> None:
    for page in PAGES:
        with subtests.test(page=page):
            text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
            links = [target.partition("#") for target in re.findall(r"\]\(([^)\s:]*#[^)\s]+)\)", text)]
            wrong = [f"{to}#{at}" for to, _, at in links if at not in _anchors(page.parent / to if to else page)]
            assert wrong == []


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, by GitHub's rule, and of its <a id>."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"](docs/{page.name})" not in readme] == []


def test_the_docs_are_short_enough_to_be_read() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    # The bars of tables are no words.
    assert sum(len(re.findall(r"\S*\w\S*", page.read_text("utf-8"))) for page in pages) <= 20_000


def test_a_page_names_only_scripts_and_commands_that_exist(subtests: pytest.Subtests) -> None:
    for page in PAGES:
        with subtests.test(page=page):
            text = page.read_text("utf-8")
            scripts = set(re.findall(r"\bscripts/([a-z-]+)", text))
            assert {name for name in scripts if not (ROOT / "scripts" / name).is_file()} == set()
            commands = set(re.findall(r"manage\.py ([a-z_]+)", text)) - DJANGO_COMMANDS
            ours = {path.stem for path in ROOT.glob("app/*/management/commands/*.py")}
            assert commands - ours == set()


DJANGO_COMMANDS = {"migrate", "makemigrations", "shell", "check", "changepassword"}


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError):
        page_with("no marks here", name="settings", table="")


def test_every_action_of_the_audit_trail_is_documented_and_no_other() -> None:
    documented = set(re.findall(r"`(\w+\.\w+)`", (ROOT / "docs" / "audit.md").read_text().split("An upload of")[0]))
    kinds = "|".join(sorted({action.split(".")[0] for action in documented}))
    sources = [path for path in (ROOT / "app").rglob("*.py") if "tests" not in path.relative_to(ROOT).parts]
    used = {each for path in sources for each in re.findall(rf'"((?:{kinds})\.[a-z_]+)"', path.read_text())}
    # A table's name in its migrations is no action.
    used -= {"audit.auditentry"}
    assert used == documented
