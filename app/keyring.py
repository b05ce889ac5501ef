"""Who may come in: keys are compared by their digests, in constant time, and each may have a rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from hmac import compare_digest

from app.domain.backend import matches
from app.domain.errors import AuthenticationError, PermissionDeniedError, RateLimitedError


class Client:
    """The owner of a key, or anybody where there are no keys. Requests are counted by a token bucket."""

    __slots__ = (
        *("_refilled", "_tokens", "admin", "max_watts", "models", "name"),
        *("requests_per_minute", "watt_hours_per_day"),
    )

    def __init__(
        self,
        name: str | None,
        *,
        models: tuple[str, ...] = ("*",),
        requests_per_minute: int | None = None,
        max_watts: float | None = None,
        watt_hours_per_day: float | None = None,
        admin: bool = False,
    ) -> None:
        self.name = name
        self.max_watts = max_watts
        self.watt_hours_per_day = watt_hours_per_day
        self.models = models
        self.requests_per_minute = requests_per_minute
        self.admin = admin
        self._tokens = float(requests_per_minute or 0)
        self._refilled: float | None = None

    def count(self, now: float) -> None:
        """One more request. Raises RateLimitedError when that is too many."""
        limit = self.requests_per_minute
        if limit is None:
            return
        since = now if self._refilled is None else self._refilled
        self._refilled = now
        self._tokens = min(float(limit), self._tokens + (now - since) * limit / 60)
        if self._tokens < 1:
            wait = (1 - self._tokens) * 60 / limit
            raise RateLimitedError(f"This key may make {limit} requests a minute.", retry_after_seconds=wait)
        self._tokens -= 1

    def may_ask_for(self, model: str) -> bool:
        return matches(model, self.models)

    def check_model(self, model: str) -> None:
        """Raises PermissionDeniedError when this key may not ask for the model."""
        if self.models != ("*",) and not self.may_ask_for(model):
            raise PermissionDeniedError(
                f"This key may not use the model '{model}'.", param="model", code="model_not_allowed"
            )


class Keyring:
    """Without keys everybody is an operator; with any key nobody comes in without one."""

    def __init__(self, clients: Iterable[tuple[str, Client]], clock: Callable[[], float]) -> None:
        self._clients = [(_digest(key.encode()), client) for key, client in clients]
        self._anybody = None if self._clients else Client(None, admin=True)
        self._clock = clock

    def enter(self, authorization: bytes | None) -> Client:
        """The client with the key of an Authorization header; counts the request.

        Raises AuthenticationError or RateLimitedError.
        """
        if self._anybody is not None:
            return self._anybody
        client = self._find(authorization)
        client.count(self._clock())
        return client

    def enter_as_admin(self, authorization: bytes | None) -> Client:
        """Raises AuthenticationError, or PermissionDeniedError for a key that is no operator's."""
        client = self._anybody or self._find(authorization)
        if not client.admin:
            raise PermissionDeniedError("This needs an admin key.", code="admin_key_required")
        return client

    def _find(self, authorization: bytes | None) -> Client:
        if not authorization:
            raise AuthenticationError(
                "No API key was given: send it as 'Authorization: Bearer KEY'.", code="missing_api_key"
            )
        scheme, _, key = authorization.partition(b" ")
        digest, found = _digest(key.strip()), None
        for known, client in self._clients:  # all of them, always: time must not tell which one it was
            if compare_digest(known, digest):
                found = client
        if found is not None and scheme.lower() == b"bearer":
            return found
        raise AuthenticationError("This API key is not known here.", code="invalid_api_key")


def _digest(key: bytes) -> bytes:
    """BLAKE2 (RFC 7693): no key is kept, none is in a dump of memory, and all that is compared is of one length."""
    return blake2b(key, digest_size=32).digest()
