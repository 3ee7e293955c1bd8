"""A box for the tests of the supervisor: real supervisor, PostgreSQL and Valkey, small programs in place of the app.

    python -m tests.box.box_program [OPTIONS OF scripts/start]
    python -m tests.box.box_program serve PORT [deaf]      answers every GET; deaf: does not end when asked

The environment variable BOX_WEB says what stands in for the web process: `serve`, `deaf` or `broken`.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from app.embedded.__main__ import main
from app.embedded.app_programs import python_module
from app.embedded.box import ROOT, Box
from app.embedded.process_spec import Program
from app.embedded.startup import Plan, Step, plan_box

# Runs at a first start only: each run adds a line beside the data.
COUNT = "import pathlib; pathlib.Path({path!r}).open('a').write('ran\\n')"


def make_plan(box: Box) -> Plan:
    plan = plan_box(box)
    web = next(program for program in plan.programs if program.name == "web")
    assert isinstance(web, Program)
    kind = os.environ.get("BOX_WEB", "serve")
    arguments = {
        "serve": python_module("tests.box.box_program", "serve", str(web.port)),
        "deaf": python_module("tests.box.box_program", "serve", str(web.port), "deaf"),
        "broken": [sys.executable, "-c", "raise SystemExit('the web process cannot find its files')"],
    }[kind]
    # Only a second request to stop ends a deaf one in less than a minute.
    ladder = ((signal.SIGTERM, 60.0), (signal.SIGKILL, 2.0)) if kind == "deaf" else web.stop_ladder
    plan.programs = [Program("web", arguments, ROOT, plan.environment, port=web.port, stop_ladder=ladder)]
    count = COUNT.format(path=str(box.folder / "steps"))
    failing = "raise SystemExit('no tables today')" if os.environ.get("BOX_STEP") == "fails" else count
    plan.steps = [Step("Tables", [sys.executable, "-c", failing])]
    return plan


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"served")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        if "deaf" in sys.argv:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        HTTPServer(("127.0.0.1", int(sys.argv[2])), Page).serve_forever()
    sys.exit(main(make_plan=make_plan))
