"""Two processes that ask for the same model at once fetch it once."""

import subprocess
import sys
import threading
from pathlib import Path

from app.catalogue.cache import Cache
from tests.app.catalogue.builders import HUB_PATH, WEIGHTS, hub, model_of
from tests.app.catalogue.file_server import FileServer, Served

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
from app.catalogue.cache import Cache
from app.catalogue.fetch import fetch
from app.catalogue.progress import TerminalProgress
from tests.app.catalogue.builders import hub, machine, model_of
fetch(model_of(hub()), Cache(Path(sys.argv[1])), TerminalProgress(sys.stdout), machine({"HF_ENDPOINT": sys.argv[2]}))
print("there")
"""


def start(cache: Cache, server: FileServer) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(cache.root), server.url]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_the_second_process_waits_and_finds_the_model_there(cache: Cache, server: FileServer) -> None:
    served = Served(WEIGHTS, gate=threading.Event())
    server.files[HUB_PATH] = served
    with start(cache, server) as one:
        assert served.entered.wait(timeout=30)
        with start(cache, server) as two:
            assert two.stdout is not None
            assert "another process is fetching it" in two.stdout.readline()
            assert served.gate is not None
            served.gate.set()
            assert two.communicate(timeout=30)[0] == "there\n"
        assert one.communicate(timeout=30)[0].endswith("there\n")
    assert len(server.requests) == 1
    assert cache.present(model_of(hub()))
