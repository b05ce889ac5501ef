"""GET /: the live dashboard, a page that holds no data and asks GET /admin/events for it."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

router = APIRouter(tags=["dashboard"])

_FILES = StaticFiles(directory=Path(__file__).with_name("dashboard_files"))
_HEADERS = {
    # all that the page needs comes from here, and no text may become markup or script
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",  # asks each time whether its ETag still holds
}


@router.get("/", response_class=HTMLResponse)
async def dashboard(request: Request) -> Response:
    """The live dashboard: zones, backends, decisions as they are made, and the switch of modes."""
    return await _file("index.html", request)


@router.get("/dashboard/{name}", include_in_schema=False)
async def dashboard_file(name: str, request: Request) -> Response:
    """What the page is made of."""
    return await _file(name, request)


async def _file(name: str, request: Request) -> Response:
    """Raises HTTPException 404 for what is not there."""
    response = await _FILES.get_response(name, request.scope)
    response.headers.update(_HEADERS)
    return response
