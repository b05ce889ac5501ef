"""The files that a page of a package index offers, as JSON (PEP 691) or as HTML (PEP 503)."""

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, unquote, urldefrag, urljoin, urlsplit


@dataclass(frozen=True, slots=True)
class Offer:
    """One file, where it is and what the index says of it."""

    name: str
    url: str
    sha256: str | None = None
    bytes: int | None = None


def offers_in_json(text: str, base_url: str) -> list[Offer]:
    """Raise ValueError, KeyError or TypeError for a page that is none."""
    return [
        Offer(
            name=entry["filename"],
            url=urljoin(base_url, entry["url"]),
            sha256=entry.get("hashes", {}).get("sha256"),
            bytes=entry.get("size"),
        )
        for entry in json.loads(text)["files"]
    ]


def offers_in_html(text: str, base_url: str) -> list[Offer]:
    links = _Links(base_url)
    links.feed(text)
    links.close()
    return [_offer(urljoin(links.base_url, href)) for href in links.hrefs]


def _offer(link: str) -> Offer:
    url, fragment = urldefrag(link)
    sha256 = parse_qs(fragment).get("sha256", [None])[0]
    return Offer(unquote(urlsplit(url).path.rpartition("/")[2]), url, sha256)


class _Links(HTMLParser):
    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.base_url = base_url
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if href and tag == "a":
            self.hrefs.append(href)
        elif href and tag == "base":
            self.base_url = urljoin(self.base_url, href)
