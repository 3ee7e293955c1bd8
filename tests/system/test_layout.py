"""The house rules as tests: layout, names, sizes, import direction, and the one place for each risky thing.

An exception to a rule stands in the table beside the rule, with its reason. An exception that is no longer needed
fails its test, so the tables only shrink.
"""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "managers", "handler", "handlers"}
BANNED |= {"core"}
BUILT = "app/static/refdesk/"

# In dependency order: a file imports from the drawers before its own only (docs/decisions/0007).
DRAWERS = (
    "audit",
    "jobs",
    "secrets",
    "plans",
    "accounts",
    "oidc",
    "llm",
    "retrieval",
    "library",
    "bots",
    "chat",
    "analytics",
    "privacy",
    "portal",
    "admin_site",
    "backup",
    "embedded",
    "appliance",
    "operations",
)
# Apps that every edge may import: policies, and the frame of a page.
SHELLS = {"accounts", "portal", "admin_site"}
EDGES = {"api", "tasks", "admin", "views", "management", "templatetags"}
# Anybody may import these; they import nothing of the apps. llm may import lib besides.
GROUND = {"env", "errors", "lib"}
# The files that wire the edges together, and so may import all of them.
WIRING = {"app/api.py", "app/urls.py", "app/celery.py", "app/asgi.py", "app/settings.py"}

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
UPWARD_IMPORTS = {
    "app/retrieval/api.py": "the search endpoint names a bot or sources; searching itself knows neither",
}
ENVIRONMENT_READERS = {
    "app/env.py": "the one reader",
    "app/asgi.py": "names Django's settings module, as Django's own template does",
    "app/celery.py": "names Django's settings module, as Celery's own template does",
    "app/operations/doctor/__main__.py": "names the settings module, once it knows that there are settings",
}
QDRANT_SPEAKERS = {
    "app/env.py": "holds the names of the settings",
    "app/settings.py": "hands the address on",
    "app/appliance/secrets_files.py": "deals out the key",
    "app/backup/create.py": "leaves the address and the key out of a backup",
    "app/operations/checks.py": "says when the address is missing",
    "app/operations/doctor/machine.py": "tries whether its package loads",
    "app/operations/health.py": "asks whether it is ready",
    "app/retrieval/index.py": "searches in Qdrant",
    "app/retrieval/index_client.py": "Qdrant's client, with tries and errors of ours",
    "app/retrieval/index_upkeep.py": "maintains what is in Qdrant",
    "app/retrieval/index_writer.py": "writes to Qdrant",
}


@cache
def files() -> tuple[str, ...]:
    """Return paths of the project's own files, committed or about to be, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return tuple(sorted(path for path in set(listed.stdout.split("\0")) if path and (ROOT / path).is_file()))


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), filename=path)


def python_files(*, tests: bool) -> list[str]:
    found = [path for path in files() if path.endswith(".py") and "/migrations/" not in path]
    return found if tests else [path for path in found if not is_test(path)]


def is_test(path: str) -> bool:
    return (
        path.startswith("tests/") or "/tests/" in path or path.endswith(("conftest.py", ".test.ts")) or "/e2e/" in path
    )


def imports(path: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, those inside functions too; `from a import b` counts as a.b."""
    package = list(Path(path).parent.parts)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def against(found: list[str], exceptions: dict[str, str]) -> None:
    """Assert that what breaks a rule is what its table excepts. Keys are what stands before a line's first space."""
    broken = {line.split(" ", 1)[0] for line in found}
    assert [line for line in found if line.split(" ", 1)[0] not in exceptions] == []
    assert set(exceptions) - broken == set(), "these exceptions are no longer needed"


def test_the_root_has_at_most_twenty_visible_entries() -> None:
    visible = {path.split("/", 1)[0] for path in files() if not path.startswith(".")}
    assert len(visible) <= 20, sorted(visible)


def test_no_module_or_package_has_a_name_that_says_nothing() -> None:
    named = set()
    for path in files():
        if path.endswith((".py", ".ts")):
            parts = Path(path).with_suffix("").parts
            named |= {part for part in parts if BANNED & set(re.split(r"[_.\-]", part.lower()))}
    # Django's own word for what turns an ASGI request into a response.
    assert named == {"handler", "test_asgi_handler"}


def test_files_are_short() -> None:
    long = []
    for path in files():
        if not path.endswith((".py", ".ts", ".css", ".html")) or "/migrations/" in path or path.startswith(BUILT):
            continue
        if path.startswith("app/operations/samples/"):
            continue
        lines = len((ROOT / path).read_text("utf-8").splitlines())
        if lines > (600 if is_test(path) else 400):
            long.append(f"{path} has {lines} lines")
    against(long, LONG_FILES)


def test_functions_are_under_fifty_lines() -> None:
    long = []
    for path in python_files(tests=True):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines >= 50:
                    long.append(f"{path}:{node.name} has {lines} lines")
    against(long, LONG_FUNCTIONS)


def test_scripts_are_short_and_executable() -> None:
    scripts = [path for path in files() if path.startswith("scripts/")]
    assert scripts
    assert [path for path in scripts if len((ROOT / path).read_text("utf-8").splitlines()) >= 60] == []
    assert [path for path in scripts if not (ROOT / path).stat().st_mode & 0o100] == []


def place(path: str) -> tuple[str, bool]:
    """Return the app or package directly under app/ that a file belongs to, and whether it is an edge, or a part of
    one.
    """
    parts = Path(path).with_suffix("").parts
    return parts[1], bool(EDGES & set(parts[2:]))


def upward(path: str) -> Iterator[str]:
    """Return the imports with which a file reaches a drawer that comes after its own."""
    own, is_edge = place(path)
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] != "app" or len(parts) < 2:
            continue
        target = parts[1]
        if own in DRAWERS and target in DRAWERS:
            allowed = DRAWERS.index(target) <= DRAWERS.index(own) or (is_edge and target in SHELLS)
        elif own in DRAWERS:
            allowed = target in GROUND
        else:
            allowed = target in GROUND | {own}
        if not allowed:
            yield f"{path} line {line} imports {name}"


def test_imports_go_downwards() -> None:
    ours = [
        path
        for path in python_files(tests=False)
        if path.startswith("app/") and path not in WIRING and path != "app/__init__.py"
    ]
    assert ours
    against([line for path in ours for line in upward(path)], UPWARD_IMPORTS)


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {}
    for path in python_files(tests=False):
        if path.startswith("app/"):
            targets = {module_file(name) for _, name in imports(path)} - {None, path}
            # A package's own file says nothing but its name; its modules are what is imported.
            graph[path] = {target for target in targets if target and not target.endswith("/__init__.py")}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        raise AssertionError(f"these files import each other: {' -> '.join(error.args[1])}") from None


def test_nothing_imports_an_edge() -> None:
    found = []
    for path in python_files(tests=False):
        if path in WIRING or Path(path).name == "urls.py":
            continue
        for line, name in imports(path):
            target = module_file(name)
            if target and place(target)[0] in DRAWERS and place(target)[1]:
                same_folder = Path(path).parent == Path(target).parent and len(Path(path).parts) > 3
                if not same_folder:
                    found.append(f"{path} line {line} imports {name}")
            if name == "app.api" or name.startswith("app.api."):
                found.append(f"{path} line {line} imports {name}")
    assert found == []


def test_every_app_has_its_place_in_the_order() -> None:
    apps = {Path(path).parts[1] for path in files() if re.fullmatch(r"app/\w+/apps\.py", path)}
    assert apps
    assert apps <= set(DRAWERS)


def module_file(name: str) -> str | None:
    """Return the project's file behind a dotted name, which may end in something that the file defines."""
    for parts in (name.split("."), name.split(".")[:-1]):
        path = "/".join(parts)
        for candidate in (f"{path}.py", f"{path}/__init__.py"):
            if candidate in files():
                return candidate
    return None


def test_the_engines_run_without_django() -> None:
    # Followed through every import: the engines start before Django could, and without its memory.
    engines = [path for path in python_files(tests=False) if path.startswith("app/embedded/")]
    assert engines
    wrong, seen, waiting = [], set(engines), list(engines)
    while waiting:
        path = waiting.pop()
        for line, name in imports(path):
            if name.split(".")[0] in ("django", "celery"):
                wrong.append(f"{path} line {line} imports {name}")
            found = module_file(name)
            if found and found not in seen:
                seen.add(found)
                waiting.append(found)
    assert wrong == []


def test_streaming_responses_are_made_in_one_place() -> None:
    made = {
        path
        for path in python_files(tests=False)
        for node in ast.walk(tree(path))
        if "StreamingHttpResponse" in (getattr(node, "id", ""), getattr(node, "attr", ""))
    }
    assert made <= {"app/lib/sse.py"}


def test_the_environment_is_read_in_one_place() -> None:
    found = []
    for path in python_files(tests=False):
        if not path.startswith("app/") or path.startswith("app/embedded/"):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv"):
                found.append(f"{path} line {node.lineno} reads the environment")
        found += [f"{path} line {line} imports {name}" for line, name in imports(path) if name in ENVIRONMENT_IMPORTS]
    against(found, ENVIRONMENT_READERS)


ENVIRONMENT_IMPORTS = {"os.environ", "os.getenv"}


def words(path: str) -> Iterator[tuple[int, str]]:
    """Yield names and strings of a file, without its docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
    yield from imports(path)


def test_qdrant_is_spoken_to_in_one_place() -> None:
    found = []
    for path in python_files(tests=False):
        if path.startswith("app/") and not path.startswith("app/embedded/"):
            found += [f"{path} line {line} says {word[:60]}" for line, word in words(path) if "qdrant" in word.lower()]
    against(found, QDRANT_SPEAKERS)


def test_qdrant_s_client_is_loaded_with_the_first_index_work() -> None:
    # At the top of a module only among the writers themselves and in commands, which the web process never loads.
    writers = {f"app.retrieval.{name}" for name in ("index_client", "index_upkeep", "index_writer")}
    found = []
    for path in python_files(tests=False):
        if not path.startswith("app/") or "/management/" in path or module_of(path) in writers:
            continue
        for node in tree(path).body:
            if isinstance(node, ast.ImportFrom) and (node.module in writers or node.module == "qdrant_client"):
                found.append(f"{path} line {node.lineno} imports {node.module}")
    assert found == []


def module_of(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts)


def test_nothing_unpickles_or_evaluates() -> None:
    modules = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
    found = []
    for path in python_files(tests=True):
        found += [f"{path} line {line} imports {name}" for line, name in imports(path) if name.split(".")[0] in modules]
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "eval",
                "exec",
                "yaml.load",
                "yaml.unsafe_load",
            ):
                found.append(f"{path} line {node.lineno} calls {ast.unparse(node.func)}")
    assert found == []


def test_the_runtime_needs_at_most_thirty_packages() -> None:
    # 25, and five with a reason each in docs/decisions/0008-packages-of-the-runtime.md.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert len(project["dependencies"]) <= 30


def test_locks_have_hashes_and_name_no_index() -> None:
    locks = [path for path in files() if path.startswith("requirements/") and path.endswith(".txt")]
    assert locks
    for path in locks:
        lines = [line for line in (ROOT / path).read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
        assert [line for line in lines if "://" in line or "index-url" in line] == []
        pinned = sum(1 for line in lines if re.match(r"[A-Za-z0-9]", line))
        hashed = sum(1 for line in lines if "--hash=sha256:" in line)
        assert 0 < pinned <= hashed


def test_locks_that_are_installed_together_name_one_version_of_a_package() -> None:
    versions: dict[str, set[str]] = {}
    for path in (ROOT / "requirements").glob("*.txt"):
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"])
def test_the_root_documents_are_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 200


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f'VERSION = "{version}"' in (ROOT / "app" / "settings.py").read_text("utf-8")
    assert json.loads((ROOT / "frontend" / "package.json").read_text("utf-8"))["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
