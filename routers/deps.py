"""What the ordinary doors ask for by type."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends, Request

from app.gateway import Gateway
from app.keyring import Client


class Serving(Protocol):
    """What the app holds as `state.serving`: the gateway of the moment, and the way to another."""

    gateway: Gateway

    async def reload(self) -> Gateway:
        """Read the configuration again. Raises ConfigurationError and goes on as before."""


def get_serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


def get_gateway(request: Request) -> Gateway:
    return get_serving(request).gateway


def get_client(request: Request, gateway: Annotated[Gateway, Depends(get_gateway)]) -> Client:
    return gateway.keyring.enter(_authorization(request))


def get_admin(request: Request, gateway: Annotated[Gateway, Depends(get_gateway)]) -> Client:
    return gateway.keyring.enter_as_admin(_authorization(request))


def _authorization(request: Request) -> bytes | None:
    header = request.headers.get("authorization")
    return header.encode("latin-1") if header is not None else None


GatewayDep = Annotated[Gateway, Depends(get_gateway)]
ServingDep = Annotated[Serving, Depends(get_serving)]
ClientDep = Annotated[Client, Depends(get_client)]
AdminOnly = Depends(get_admin)
