"""A download goes on where it was cut, and only if the file is still the same one."""

from pathlib import Path

import pytest

from app.catalogue.client import open_client
from app.catalogue.download import Remote, download
from app.catalogue.errors import SourceError, WrongFileError
from app.catalogue.partial import Origin, Partial
from app.catalogue.source import Bench
from tests.app.catalogue.builders import WEIGHTS, RecordingProgress, machine
from tests.app.catalogue.file_server import FileServer, Served


class Desk:
    """One part on one bench, and the server it comes from."""

    def __init__(self, directory: Path, server: FileServer) -> None:
        self.progress = RecordingProgress()
        self.part = Partial(directory / "x.part")
        self._bench = Bench(directory, machine({}), self.progress)
        self._server = server

    def download(self, expected_bytes: int | None = None, path: str = "/x") -> bytes:
        remote = Remote(f"{self._server.url}{path}", "x", expected_bytes)
        with open_client() as client:
            download(client, remote, self.part, self._bench)
        return self.part.path.read_bytes()

    def arrived(self, content: bytes, validator: str | None = '"one"', total: int | None = len(WEIGHTS)) -> None:
        self.part.path.write_bytes(content)
        self.part.remember(Origin(validator, total))


@pytest.fixture
def desk(tmp_path: Path, server: FileServer) -> Desk:
    return Desk(tmp_path, server)


def ranges(server: FileServer) -> list[str | None]:
    return [request.headers.get("Range") for request in server.requests]


def test_a_download_that_is_cut_twice_goes_on_each_time(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, cuts=[1000, 5000])
    assert desk.download() == WEIGHTS
    assert ranges(server) == [None, "bytes=1000-", "bytes=6000-"]
    assert desk.progress.starts[-1] == ("x", len(WEIGHTS), 6000)
    assert "trying again" in desk.progress.lines[0]


def test_a_later_process_goes_on_with_what_an_earlier_one_left(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS)
    desk.arrived(WEIGHTS[:100])
    assert desk.download() == WEIGHTS
    assert server.requests[0].headers["If-Range"] == '"one"'
    assert ranges(server) == ["bytes=100-"]


def test_a_file_that_changed_on_the_server_starts_again(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, etag='"two"')
    desk.arrived(b"from the first edition")
    assert desk.download() == WEIGHTS
    assert len(server.requests) == 1


def test_a_rest_of_another_size_is_not_appended(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, etag=None)
    desk.arrived(b"something shorter", validator=None, total=20)
    assert desk.download() == WEIGHTS
    assert ranges(server) == ["bytes=17-", None]


def test_a_server_that_names_no_edition_is_resumed_by_size(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, etag=None, cuts=[1000])
    assert desk.download() == WEIGHTS
    assert ranges(server) == [None, "bytes=1000-"]
    assert "If-Range" not in server.requests[1].headers


def test_a_weak_etag_is_not_trusted_with_a_rest(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, etag='W/"one"', cuts=[1000])
    assert desk.download() == WEIGHTS
    assert "If-Range" not in server.requests[1].headers


def test_a_server_without_ranges_sends_all_of_it_again(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, ranges=False, cuts=[1000])
    assert desk.download() == WEIGHTS


def test_a_part_that_was_already_all_of_it_is_taken(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS)
    desk.arrived(WEIGHTS)
    assert desk.download() == WEIGHTS
    assert desk.progress.starts == []


def test_a_part_longer_than_the_file_starts_again(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS)
    desk.arrived(WEIGHTS + b"more")
    assert desk.download() == WEIGHTS


def test_a_part_of_which_nothing_is_known_starts_again(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS)
    desk.part.path.write_bytes(b"whatever")
    assert desk.download() == WEIGHTS
    assert ranges(server) == [None]


def test_starting_again_never_writes_into_a_file_with_a_second_name(
    desk: Desk, server: FileServer, tmp_path: Path
) -> None:
    server.files["/x"] = Served(WEIGHTS)
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    desk.part.path.hardlink_to(precious)
    desk.download()
    assert precious.read_bytes() == b"mine"


def test_a_body_without_a_length_is_short_when_it_is_shorter_than_expected(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, length=False, cuts=[1000])
    assert desk.download(len(WEIGHTS)) == WEIGHTS
    assert "the body ended after 1000 of 262144 bytes" in desk.progress.lines[0]


def test_a_file_of_another_size_than_expected_is_refused_before_it_is_read(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS)
    with pytest.raises(WrongFileError, match="262144 bytes where 5 are expected"):
        desk.download(5)
    assert desk.progress.starts == []


def test_a_body_that_does_not_end_is_stopped_at_the_size_expected(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, length=False)
    with pytest.raises(WrongFileError, match="sends more than the 100 bytes expected"):
        desk.download(100)


def test_several_tries_without_a_byte_end_it_and_keep_the_part(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(WEIGHTS, cuts=[1000, 0, 0, 0])
    with pytest.raises(SourceError, match="3 times without a new byte"):
        desk.download()
    assert desk.part.size_bytes == 1000


def test_a_busy_server_is_asked_again(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(b"", status=503)
    with pytest.raises(SourceError, match="the server answered 503, 3 times"):
        desk.download()
    assert len(server.requests) == 3


@pytest.mark.parametrize(("status", "hint"), [(401, "HF_TOKEN"), (403, "licence"), (404, "no such file"), (410, "410")])
def test_a_refusal_is_final_and_hints_at_its_cure(desk: Desk, server: FileServer, status: int, hint: str) -> None:
    server.files["/x"] = Served(b"", status=status)
    with pytest.raises(SourceError, match=hint):
        desk.download()
    assert len(server.requests) == 1


def test_an_endless_redirect_is_a_failed_request(desk: Desk, server: FileServer) -> None:
    server.files["/x"] = Served(redirect="/x")
    with pytest.raises(SourceError, match="TooManyRedirects"):
        desk.download()


def test_a_server_that_is_not_there_fails_soon(desk: Desk, server: FileServer) -> None:
    server.address = "127.0.0.1:9"
    with pytest.raises(SourceError, match="the connection failed"):
        desk.download()
