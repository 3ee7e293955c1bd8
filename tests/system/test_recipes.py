"""The recipes of CONTRIBUTING.md, followed: each file that a recipe names is there for something that exists already.

A recipe is followed for one example: what it says to make (`<format>`) is replaced by the example's name, and the files
in which it says to register the thing must name the example.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "CONTRIBUTING.md"
PLACEHOLDER = re.compile(r"<[a-z]+>")


@dataclass(frozen=True)
class Example:
    """names: what stands for each placeholder. mentions: files that must hold a text for the example to work."""

    names: dict[str, str] = field(default_factory=dict)
    mentions: dict[str, str] = field(default_factory=dict)


EXAMPLES = {
    "a new feature": Example({"<app>": "library"}),
    "a new parser": Example(
        {"<format>": "csv"},
        {
            "app/library/parsers/media.py": "text/csv",
            "docs/files.md": "CSV",
            "app/library/templates/library/documents.html": "spreadsheets",
            "README.md": "spreadsheets",
        },
    ),
    "a new connector": Example(
        {"<kind>": "push"},
        {
            "app/library/choices.py": "PUSH",
            "app/library/templates/library/source_bring.html": "push",
            "docs/sources.md": "push",
        },
    ),
    "a new provider": Example(
        {"<kind>": "openai"}, {"app/llm/providers/__init__.py": "openai", "app/llm/choices.py": "openai"}
    ),
    "a new kind of job": Example(
        {"<app>": "library", "<kind>": "reconcile"}, {"tests/system/test_jobs_killed.py": "reconcile"}
    ),
    "a new step of a turn": Example(
        {"<step>": "verify"},
        {"app/chat/turns/run.py": "verify.STEP", "frontend/src/chat/status_text.ts": "generate"},
    ),
    "a new field of a message": Example(
        {"<field>": "finish_reason"},
        {
            "app/chat/models.py": "finish_reason = column(",
            "app/chat/migrations/0003_finish_reason.py": "finish_reason",
            "frontend/src/chat/payloads.ts": "finish_reason",
        },
    ),
    "a new portal page": Example(
        {"<app>": "chat", "<page>": "ask"},
        {"app/chat/views.py": "chat/ask.html", "app/urls.py": "show_portal", "frontend/build.mjs": '"ask"'},
    ),
    "a new admin page": Example(
        {"<app>": "chat"},
        {"app/chat/admin.py": "admin.register", "app/admin_site/navigation.py": "chat_conversation"},
    ),
}


def recipes() -> dict[str, str]:
    """Return the text of each recipe by its title."""
    parts = re.split(r"^## ", GUIDE.read_text("utf-8"), flags=re.MULTILINE)
    titled = (part.partition("\n") for part in parts if part.startswith("Recipe: "))
    return {title.removeprefix("Recipe: "): text for title, _, text in titled}


def paths_of(text: str) -> list[str]:
    """Return what a recipe names as files or folders of the project, in code or as a link."""
    code = [token for token in re.findall(r"`([^`\s]+)`", text) if "/" in token and not token.startswith("/")]
    return code + re.findall(r"\]\(([^)#]+)\)", text)


def test_every_recipe_has_an_example() -> None:
    assert set(recipes()) == set(EXAMPLES)


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_files_of_a_recipe_are_there_for_its_example(title: str) -> None:
    example, text = EXAMPLES[title], recipes()[title]
    paths = paths_of(text)
    assert paths, "this recipe names no file"
    wrong = []
    for path in paths:
        named = PLACEHOLDER.sub(lambda match: example.names.get(match[0], match[0]), path)
        if PLACEHOLDER.search(named) or not (ROOT / named).exists():
            wrong.append(named)
    assert wrong == []
    for path, words in example.mentions.items():
        assert any(PLACEHOLDER.sub(lambda match: example.names.get(match[0], ""), each) == path for each in paths), path
        assert words in (ROOT / path).read_text("utf-8"), f"{path} does not name {words}"
