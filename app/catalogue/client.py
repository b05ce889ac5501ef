"""Speaking HTTP without ever showing the credentials that an address may carry."""

import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from app.catalogue.errors import SourceError

Credentials = tuple[str, str]


def open_client(certificates: str | None = None) -> httpx.Client:
    """A client that follows redirects and the proxies of the environment."""
    try:
        return httpx.Client(
            timeout=httpx.Timeout(30.0, connect=10.0),
            follow_redirects=True,
            verify=_trust(certificates) if certificates else True,
            headers={"User-Agent": "isotherm"},
        )
    except (ImportError, ValueError) as error:  # what httpx says of a proxy that it cannot use
        raise SourceError(f"the proxy of the environment cannot be used: {error}") from error


def _trust(certificates: str) -> ssl.SSLContext:
    path = Path(certificates).expanduser()
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise SourceError(f"pip's certificates {path} cannot be read: {error}") from error


def split_credentials(url: str) -> tuple[str, Credentials | None]:
    """The address that may be shown and logged, and apart from it what the server wants to see."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def same_server(one: str, other: str) -> bool:
    """Whether the credentials for the one may be sent to the other."""
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.netloc) == (b.scheme, b.netloc)


def why(error: Exception) -> str:
    return str(error) or type(error).__name__
