"""GET / and the files of the page: open to all, since they hold no data, and strict about what may run in them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from routers import dashboard
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import RunningGateway, backend, error_of, running
from tests.routers.test_auth import SERVER

pytestmark = pytest.mark.anyio

FOLDER = Path(dashboard.__file__).with_name("dashboard_files")
FILES = sorted(path.name for path in FOLDER.iterdir())
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MOST_LINES = 250


class Page(HTMLParser):
    """What a page asks for, and what it runs or styles on the spot."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.asks_for: set[str] = set()
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.asks_for |= {value for name, value in attrs if name in ("src", "href") and value and value[0] != "#"}
        self.inline += [name for name in names if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.inline.append(tag)


@pytest.fixture
async def locked(upstream: OpenAiServer) -> AsyncIterator[RunningGateway]:
    async with running(backend("openai", upstream), server=SERVER) as gateway:
        yield gateway


async def test_the_page_is_open_even_where_keys_are_needed(locked: RunningGateway) -> None:
    answer = await locked.get("/")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "Isotherm" in answer.text


async def test_everything_that_the_page_asks_for_is_there(gateway: RunningGateway) -> None:
    asked = Page((await gateway.get("/")).text).asks_for

    assert {"dashboard/main.js", "dashboard/style.css"} <= asked
    for path in asked:
        assert (await gateway.get(f"/{path}")).status_code == 200, path


@pytest.mark.parametrize("name", FILES)
async def test_every_file_says_what_it_is_and_lets_nothing_foreign_in(gateway: RunningGateway, name: str) -> None:
    for path in {f"/dashboard/{name}", "/" if name == "index.html" else f"/dashboard/{name}"}:
        headers = (await gateway.get(path)).headers
        policy = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))

        assert headers["content-type"].partition(";")[0] == TYPES[Path(name).suffix]
        assert policy["default-src"] == "'self'"
        assert not {"script-src", "style-src", "connect-src", "img-src"} & set(policy)
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-cache"


async def test_a_file_that_has_not_changed_is_not_sent_again(gateway: RunningGateway) -> None:
    first = await gateway.get("/dashboard/main.js")
    again = await gateway.get("/dashboard/main.js", **{"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["none.js", "..%2fdashboard.py", "%2e%2e/dashboard.py", "..%2f..%2fpyproject.toml"])
async def test_nothing_else_is_given_away(gateway: RunningGateway, name: str) -> None:
    error_of(await gateway.get(f"/dashboard/{name}"), 404)


def test_nothing_runs_and_nothing_is_styled_on_the_spot() -> None:
    assert Page((FOLDER / "index.html").read_text()).inline == []


@pytest.mark.parametrize("name", FILES)
def test_no_file_needs_another_host(name: str) -> None:
    hosts = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", (FOLDER / name).read_text()))

    assert hosts <= {"http://www.w3.org", "http://127.0.0.1"}  # a namespace, and an example to copy


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_a_script_has_one_idea_and_puts_text_in_as_text(name: str) -> None:
    text = (FOLDER / name).read_text()

    assert re.match(r"// [A-Z].+", text)
    assert len(text.splitlines()) <= MOST_LINES
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)
