"""The hub's own address scheme, variables and redirects."""

from pathlib import Path

from app.catalogue.source import Bench
from app.catalogue.sources.huggingface import HuggingFaceSource
from tests.app.catalogue.builders import HUB_PATH, WEIGHTS, RecordingProgress, file_of, hub, machine
from tests.app.catalogue.file_server import FileServer, Served, running


def deliver(source: HuggingFaceSource, directory: Path, environ: dict[str, str]) -> Path:
    return source.deliver(file_of(WEIGHTS), Bench(directory, machine(environ), RecordingProgress()))


def test_a_file_is_asked_for_by_repository_revision_and_path(server: FileServer, tmp_path: Path) -> None:
    server.files["/someone/tiny/resolve/refs%2Fpr%2F1/gguf/w%201.bin"] = Served(WEIGHTS)
    source = HuggingFaceSource("someone/tiny", "refs/pr/1", {"weights.bin": "gguf/w 1.bin"})
    assert deliver(source, tmp_path, {"HF_ENDPOINT": f"{server.url}/"}).read_bytes() == WEIGHTS
    assert "Authorization" not in server.requests[0].headers


def test_a_token_goes_to_the_hub_and_not_to_where_it_redirects(server: FileServer, tmp_path: Path) -> None:
    with running() as store:
        server.files[HUB_PATH] = Served(redirect=f"{store.url}/blob")
        store.files["/blob"] = Served(WEIGHTS, cuts=[1000])
        part = deliver(hub(), tmp_path, {"HF_ENDPOINT": server.url, "HF_TOKEN": "hf_secret"})
        assert part.read_bytes() == WEIGHTS
        assert [request.headers.get("Range") for request in store.requests] == [None, "bytes=1000-"]
        assert not any("Authorization" in request.headers for request in store.requests)
    assert server.requests[0].headers["Authorization"] == "Bearer hf_secret"


def test_a_mirror_may_want_credentials_of_its_own(server: FileServer, tmp_path: Path) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    deliver(hub(), tmp_path, {"HF_ENDPOINT": f"http://me:pass@{server.address}", "HF_TOKEN": "hf_secret"})
    assert server.requests[0].headers["Authorization"].startswith("Basic ")
