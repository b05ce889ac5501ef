"""A real Chromium, and the dashboard in it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The one of this machine, with a profile of its own that is thrown away."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.fail("there is no Chromium to look at the dashboard with: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


class Dashboard:
    """The page with what it asked for and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked_for: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked_for.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)

    async def live(self) -> None:
        """Until it is connected."""
        await expect(self.page.locator("#connection")).to_have_text("live")

    async def width_beyond(self) -> int:
        """Pixels by which it is wider than its window."""
        found: int = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return found


@asynccontextmanager
async def opened(browser: Browser, url: str, **window: Any) -> AsyncIterator[Dashboard]:
    """In a window of its own, with nothing remembered; it must have had nothing to complain of in the end."""
    context = await browser.new_context(**window)
    try:
        dashboard = Dashboard(await context.new_page())
        await dashboard.page.goto(url)
        yield dashboard
        assert dashboard.complaints == []
    finally:
        await context.close()
