"""Finding one distribution file in the indexes and directories that pip is set up with."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from app.catalogue.client import Credentials, same_server, split_credentials, why
from app.catalogue.errors import SourceError
from app.catalogue.index_page import Offer, offers_in_html, offers_in_json
from app.catalogue.pip_settings import PipSettings

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


@dataclass(frozen=True, slots=True)
class Found:
    """A distribution file on this machine (`local`) or on a server."""

    offer: Offer
    local: Path | None = None
    credentials: Credentials | None = None


def find(package: str, name: str, settings: PipSettings, client: httpx.Client) -> Found:
    """The first place that has the file, those on this machine before those that need a network."""
    reasons: list[str] = []
    for place in sorted(_places(package, settings), key=lambda place: _local(place) is None):
        try:
            found = _look(place, name, client)
        except SourceError as error:
            reasons.append(error.message)
            continue
        if found is not None:
            return found
        reasons.append(f"{split_credentials(place)[0]} does not list it")
    raise SourceError(f"{name} was not found: " + ("; ".join(reasons) or "pip is set up with no index"))


def _places(package: str, settings: PipSettings) -> Iterator[str]:
    yield from settings.find_links
    project = re.sub(r"[-_.]+", "-", package).lower()
    for index in settings.indexes:
        yield f"{index.rstrip('/')}/{project}/"


def _look(place: str, name: str, client: httpx.Client) -> Found | None:
    here = _local(place)
    if here is not None and (lying := _lying(here, name)) is not None:
        return Found(Offer(name, lying.as_uri()), local=lying)
    address, credentials = split_credentials(place)
    offers = _page(address, credentials, client) if here is None else _page_here(here)
    for offer in offers:
        local = _local(offer.url)
        if offer.name != name or (local is not None and here is None):
            continue  # a server's page has no business with the files of this machine
        url, own = split_credentials(offer.url)
        inherited = credentials if same_server(url, address) else None
        return Found(replace(offer, url=url), local, own or inherited)
    return None


def _lying(place: Path, name: str) -> Path | None:
    path = place if place.name == name else place / name
    return path if path.is_file() else None


def _page_here(place: Path) -> list[Offer]:
    page = place if place.suffix in {".html", ".htm"} else place / "index.html"
    return offers_in_html(page.read_text(encoding="utf-8"), page.as_uri()) if page.is_file() else []


def _page(address: str, credentials: Credentials | None, client: httpx.Client) -> list[Offer]:
    try:
        response = client.get(address, headers={"Accept": ACCEPT}, auth=credentials)
        response.raise_for_status()
        read = offers_in_json if JSON_TYPE in response.headers.get("Content-Type", "") else offers_in_html
        return read(response.text, str(response.url))
    except httpx.HTTPStatusError as error:
        raise SourceError(f"{address} answered {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"{address} cannot be reached ({why(error)})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{address} is no page of an index") from error


def _local(place: str) -> Path | None:
    scheme = urlsplit(place).scheme
    if scheme == "file":
        return Path(unquote(urlsplit(place).path))
    return None if scheme in {"http", "https"} else Path(place).expanduser().absolute()
