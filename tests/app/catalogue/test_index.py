"""A distribution file is found in whatever pip is set up with, and no password is ever shown."""

import json
import logging
from pathlib import Path

import pytest

from app.catalogue.client import open_client
from app.catalogue.errors import SourceError
from app.catalogue.index import Found, find
from app.catalogue.pip_settings import PipSettings
from tests.app.catalogue.builders import WHEEL
from tests.app.catalogue.file_server import FileServer, Served

PAGE = "/simple/tiny-model/"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def json_page(url: str) -> Served:
    entry = {"filename": WHEEL, "url": url, "hashes": {"sha256": "ab"}, "size": 7}
    return Served(json.dumps({"files": [entry]}).encode(), JSON_TYPE)


def html_page(href: str, head: str = "") -> Served:
    return Served(f'<html>{head}<a name="x">x</a><a href="{href}">{WHEEL}</a></html>'.encode(), "text/html")


def look(*indexes: str, links: tuple[str, ...] = ()) -> Found:
    with open_client() as client:
        return find("Tiny_Model", WHEEL, PipSettings(indexes, links), client)


def test_a_json_page_tells_address_hash_and_size(server: FileServer) -> None:
    server.files[PAGE] = json_page(f"../../files/{WHEEL}")
    offer = look(f"{server.url}/simple").offer
    assert (offer.url, offer.sha256, offer.bytes) == (f"{server.url}/files/{WHEEL}", "ab", 7)
    assert JSON_TYPE in server.requests[0].headers["Accept"]


def test_an_html_page_tells_address_and_hash(server: FileServer) -> None:
    server.files[PAGE] = html_page(f"../../files/{WHEEL}#sha256=ab")
    offer = look(f"{server.url}/simple/").offer
    assert (offer.url, offer.sha256, offer.bytes) == (f"{server.url}/files/{WHEEL}", "ab", None)


def test_an_html_page_may_say_what_its_links_start_from(server: FileServer) -> None:
    server.files[PAGE] = html_page(WHEEL, '<base href="/elsewhere/">')
    assert look(f"{server.url}/simple").offer.url == f"{server.url}/elsewhere/{WHEEL}"


def test_a_directory_of_wheels_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / WHEEL).write_bytes(b"")
    assert look(links=(str(tmp_path),)).local == tmp_path / WHEEL
    assert look(links=(tmp_path.as_uri(),)).local == tmp_path / WHEEL


def test_an_index_on_this_disk_is_read_like_any_other(tmp_path: Path) -> None:
    page = tmp_path / "simple" / "tiny-model" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../files/{WHEEL}#sha256=ab">x</a>')
    found = look((tmp_path / "simple").as_uri())
    assert found.local is not None
    assert found.local.resolve() == tmp_path / "files" / WHEEL
    assert found.offer.sha256 == "ab"


def test_what_lies_here_is_looked_at_before_a_network_is_asked(tmp_path: Path, server: FileServer) -> None:
    (tmp_path / WHEEL).write_bytes(b"")
    assert look(f"{server.url}/simple", tmp_path.as_uri(), links=(str(tmp_path),)).local
    assert server.requests == []


def test_a_page_of_a_server_may_not_name_files_of_this_machine(server: FileServer) -> None:
    server.files[PAGE] = html_page(f"file:///etc/{WHEEL}")
    with pytest.raises(SourceError, match="does not list it"):
        look(f"{server.url}/simple")


def test_every_place_that_was_looked_at_is_named(tmp_path: Path, server: FileServer) -> None:
    server.files["/bad/tiny-model/"] = Served(b"{}", JSON_TYPE)
    with pytest.raises(SourceError) as caught:
        look(f"{server.url}/simple", f"{server.url}/bad", "http://127.0.0.1:9/simple", links=(str(tmp_path),))
    message = str(caught.value)
    assert f"{tmp_path} does not list it" in message
    assert "/simple/tiny-model/ answered 404" in message
    assert "/bad/tiny-model/ is no page of an index" in message
    assert "http://127.0.0.1:9/simple/tiny-model/ cannot be reached" in message


def test_an_empty_set_up_is_said() -> None:
    with pytest.raises(SourceError, match="pip is set up with no index"):
        look()


def test_credentials_go_to_the_index_and_to_nobody_who_reads(
    server: FileServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceError) as caught:
        look(f"http://me:s3cr%40t@{server.address}/simple")
    assert server.requests[0].headers["Authorization"] == "Basic bWU6czNjckB0"
    assert "s3cr" not in str(caught.value) + caplog.text


def test_credentials_are_kept_for_files_of_the_same_server_only(server: FileServer) -> None:
    server.files[PAGE] = json_page(f"/files/{WHEEL}")
    index = f"http://me:pass@{server.address}/simple"
    assert look(index).credentials == ("me", "pass")
    server.files[PAGE] = json_page(f"https://elsewhere.example/{WHEEL}")
    assert look(index).credentials is None
