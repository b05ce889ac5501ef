"""The dashboard of a running gateway, in a real Chromium."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Locator, expect

from app.domain.confidence import Attempt, Confidence, Opinion
from app.domain.errors import BackendRefusedError
from app.domain.handoff import Continuation, Handoff, Reason
from app.telemetry.decisions import Record
from app.telemetry.energy import Energy
from tests.app.builders import delta, job, usage_event
from tests.fakes.backend import KIND, ScriptedBackend
from tests.live.dashboard.browser import Dashboard, chromium, opened
from tests.live.gateway import serving
from tests.routers.running import CHAT, RunningGateway, running, until

pytestmark = [pytest.mark.live, pytest.mark.anyio]

CONTRAST = (Path(__file__).parent / "dashboard" / "contrast.js").read_text()
SIMULATED = {"kind": "simulated", "celsius": 40}
ZONES: list[dict[str, Any]] = [
    {"id": "gpu", "sensor": SIMULATED, "dwell_seconds": 0},
    {"id": "attic", "unknown": "avoid"},
]
BOX = {"id": "box", "kind": KIND, "hardware": "igpu", "zone": "gpu", "watts": 20, "models": ["small"]}
HELLO = (delta("Hello", role="assistant"), delta(finish_reason="stop"), usage_event())
MARKUP = "<img src=x onerror=alert(1)>"
ADMIN = "sk-admin-of-this-test"
OTHER = "sk-client-of-this-test"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as launched:
        yield launched


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    async with running(BOX, zones=ZONES) as running_gateway:
        answer(running_gateway, *HELLO)
        yield running_gateway


@pytest.fixture
async def dashboard(browser: Browser, gateway: RunningGateway) -> AsyncIterator[Dashboard]:
    async with opened(browser, gateway.url) as page:
        await page.live()
        yield page


def answer(gateway: RunningGateway, *steps: bytes | Exception) -> None:
    """What the backend says from now on."""
    backend = gateway.gateway.lanes["box"].backend
    assert isinstance(backend, ScriptedBackend)
    backend.script = lambda _: steps


def zone(dashboard: Dashboard, name: str) -> Locator:
    return dashboard.page.get_by_role("article", name=f"Zone {name}")


def decisions(dashboard: Dashboard) -> Locator:
    return dashboard.page.locator("#decisions-list > li")


def mode(dashboard: Dashboard, name: str) -> Locator:
    return dashboard.page.get_by_role("button", name=name, exact=True)


async def test_a_zone_has_its_temperature_its_state_in_words_and_its_curve(dashboard: Dashboard) -> None:
    gpu = zone(dashboard, "gpu")

    await expect(gpu).to_contain_text("40.0 °C")
    await expect(gpu.locator(".state-word")).to_have_text("nominal")
    await expect(gpu).to_contain_text("45 °C below critical")
    await expect(gpu).to_contain_text("modelled, not measured")
    await expect(gpu.get_by_role("img")).to_have_accessible_name(
        "Temperature in the last five minutes: 40 to 40 °C; warning at 70 °C, critical at 85 °C, shutdown at 95 °C"
    )
    await expect(gpu.locator(".trip")).to_have_text(["95° shutdown", "85° critical", "70° warning"])
    await expect(gpu.locator(".curve-line")).to_have_attribute("d", re.compile(r"^M[\d. ]+"))


async def test_what_nobody_knows_is_unknown_and_never_zero(dashboard: Dashboard) -> None:
    attic = zone(dashboard, "attic")

    await expect(attic.locator(".celsius")).to_have_text("unknown")
    await expect(attic.locator(".state-word")).to_have_text("unknown")
    await expect(attic.locator("dd")).to_have_text(["unknown"] * 3)
    await expect(attic).to_contain_text("no temperature")
    await expect(attic).to_contain_text("gets no work while unknown")
    assert not re.search(r"\d", " ".join(await attic.locator(".now, dl").all_inner_texts()))


async def test_a_zone_that_is_held_hot_turns_critical_is_announced_and_lets_go(
    dashboard: Dashboard, gateway: RunningGateway
) -> None:
    gpu = zone(dashboard, "gpu")
    await gpu.get_by_role("slider").fill("91")
    await gpu.get_by_role("button", name="Hold").click()

    await expect(gpu.locator(".state-word")).to_have_text("critical")
    await expect(gpu).to_contain_text("6 °C past critical")
    await expect(dashboard.page.locator("#announcer")).to_contain_text("gpu is critical: 91.0 °C")
    await gpu.get_by_role("button", name="Release").click()
    await expect(gpu.get_by_role("button", name="Release")).to_be_disabled()
    assert (await gateway.get("/admin/zones/gpu")).json()["held"] is None


async def test_only_a_simulated_zone_offers_to_be_held(dashboard: Dashboard) -> None:
    await expect(zone(dashboard, "gpu").get_by_role("slider")).to_be_visible()
    await expect(zone(dashboard, "attic").get_by_role("slider")).to_have_count(0)


async def test_the_mode_is_switched_by_mouse_and_by_keyboard(dashboard: Dashboard, gateway: RunningGateway) -> None:
    in_force = dashboard.page.locator("#mode-in-force")
    await expect(mode(dashboard, "balanced")).to_have_attribute("aria-pressed", "true")
    await mode(dashboard, "quiet").click()
    await expect(in_force).to_have_text("quiet")
    await mode(dashboard, "performance").focus()
    await dashboard.page.keyboard.press("Enter")

    await expect(in_force).to_have_text("performance")
    await expect(mode(dashboard, "performance")).to_have_attribute("aria-pressed", "true")
    await expect(mode(dashboard, "quiet")).to_have_attribute("aria-pressed", "false")
    await expect(dashboard.page.locator("#mode-limits")).to_contain_text("nvidia → igpu → npu → cpu")
    assert gateway.gateway.thermostat.mode == "performance"


async def test_a_decision_comes_with_its_reason_and_opens_to_every_opinion(
    dashboard: Dashboard, gateway: RunningGateway
) -> None:
    await expect(dashboard.page.locator("#decisions-empty")).to_contain_text(f"curl {gateway.url}/v1/chat")
    await gateway.post(CHAT, headers={"X-Request-ID": "mine", "X-Priority": "high"})
    row = decisions(dashboard)

    await expect(row).to_have_count(1)
    await expect(row.locator(".way")).to_have_text("small → box")
    await expect(row.locator(".outcome")).to_have_text("completed")
    await expect(row).to_contain_text("high")
    await expect(row).to_contain_text("balanced")
    await expect(row).to_contain_text(re.compile(r"\d\sJ\s(measured|estimated)"))
    await expect(row.locator(".reason")).to_have_text(re.compile(r"^[a-z-]+: |^nothing speaks against it"))
    await row.locator("summary").press("Enter")
    await expect(row.locator(".verdicts")).to_contain_text("prefer-tier")
    await expect(row.locator(".story")).to_contain_text("mine")
    await expect(dashboard.page.locator("#decisions-empty")).to_be_hidden()


async def test_what_failed_says_why_and_who_was_tried(dashboard: Dashboard, gateway: RunningGateway) -> None:
    answer(gateway, BackendRefusedError("box", "fell over"))
    await gateway.post(CHAT)
    row = decisions(dashboard)

    await expect(row.locator(".outcome")).to_have_text("failed")
    await row.locator("summary").click()
    await expect(row.locator(".more")).to_contain_text("fell over")


async def test_an_answer_that_is_doubted_shows_who_is_asked_next_and_how_likely_each_is_right(
    dashboard: Dashboard, gateway: RunningGateway
) -> None:
    record = Record(job(), gateway.gateway.clock())
    gateway.gateway.decisions.add(record)
    row = decisions(dashboard)
    path, facts = row.locator(".path"), row.locator(".facts-line")
    await expect(row).to_have_count(1)
    await expect(path).to_be_hidden()
    await expect(facts).not_to_contain_text("confidence")

    record.judged.append(Attempt("npu", "small", Confidence(0.31, "prior"), 9, "doubted"))
    await expect(path).to_have_text("small 31 % → …")
    record.judged.append(Attempt("gpu", "big", Confidence(0.934, "short questions"), 40, "accepted"))
    record.handoffs.append(Handoff(Reason.DOUBT, "too unlikely", "npu", "gpu", Continuation.ANCHOR, result="completed"))
    record.end("completed", gateway.gateway.clock())
    await expect(path).to_have_text("small 31 % → big 93 %")
    await expect(facts).to_contain_text("confidence 93 %")
    await expect(row.locator(".moves li")).to_have_text(["npu → gpu doubt · anchor"])


async def test_one_answer_has_its_confidence_and_no_path(dashboard: Dashboard, gateway: RunningGateway) -> None:
    record = done(gateway, "one")
    record.judged.append(Attempt("box", "small", Confidence(0.934, "prior"), 9, "accepted"))
    row = decisions(dashboard)

    await expect(row.locator(".facts-line")).to_contain_text("confidence 93 %")
    await expect(row.locator(".path")).to_be_hidden()


async def test_all_that_was_seen_of_each_answer_is_told_on_request(
    dashboard: Dashboard, gateway: RunningGateway
) -> None:
    doubted(gateway, "small", "big")
    row = decisions(dashboard)
    await expect(row.locator(".path")).to_have_text("small 31 % (best) → big unknown (failed)")
    await expect(row.locator(".facts-line")).to_contain_text("confidence 31 %")
    await opened_up(row)
    answers = row.locator(".part").first.locator(".opinions > li")

    await expect(answers.locator("> p")).to_have_text(["small by box", "big by box"])
    await expect(answers.nth(0).locator("dt")).to_have_text(
        ["result", "confidence", "by the fit", "judged after", "sample", "verifier", "notes"]
    )
    await expect(answers.nth(0).locator("dd")).to_have_text(
        [
            "best: it was doubted, but nothing better came",
            *("31 %", "small text: log-probabilities", "0 tokens"),
            *("small by box, 12 tokens, 1.2 s", "judge by attic, 1 tokens, 40.0 ms"),
            "log-probabilities of 2 tokens were not told; it is a note",
        ]
    )
    await expect(answers.nth(1).locator("dd")).to_have_text(["failed", *["unknown"] * 5])
    await expect(answers.nth(1).locator("dd[data-unknown]")).to_have_count(5)


async def test_the_signals_of_an_answer_are_a_table_and_it_stays_open_while_others_come(
    dashboard: Dashboard, gateway: RunningGateway
) -> None:
    record = doubted(gateway, "small", "big")
    row = decisions(dashboard)
    await opened_up(row)
    await expect(row.get_by_role("table")).to_have_count(0)
    await row.get_by_text("3 signals").press("Enter")
    table = row.get_by_role("table", name="Signals of the answer by small")

    await expect(table.get_by_role("columnheader")).to_have_text(["Signal", "Value"])
    await expect(table.get_by_role("rowheader")).to_have_text(["logprob mean", "empty", "odd"])
    await expect(table.get_by_role("cell")).to_have_text(["-0.2512", "0", "unknown"])
    record.energy = Energy("measured", 12.5, 0.5)
    await expect(row.locator(".facts-line")).to_contain_text("12.50 ± 0.50 J")
    await expect(table).to_be_visible()


async def test_a_reader_says_whether_an_answer_was_right_and_sees_that_it_is_kept(
    browser: Browser, tmp_path: Path
) -> None:
    kept = {"feedback": tmp_path / "kept.sqlite3"}
    async with running(BOX, zones=ZONES, telemetry=kept) as gateway, opened(browser, gateway.url) as dashboard:
        answer(gateway, *HELLO)
        await gateway.post(CHAT, headers={"X-Request-ID": "mine:1"})
        await opened_up(decisions(dashboard))
        asked = dashboard.page.get_by_role("group", name="Was this answer right?")
        right, wrong = (asked.get_by_role("button", name=name, exact=True) for name in ("right", "wrong"))
        for button, other, word in ((right, wrong, "right"), (wrong, right, "wrong")):
            await button.press("Enter")
            await expect(asked.get_by_role("status")).to_have_text(f"stored as {word}")
            await expect(button).to_have_attribute("aria-pressed", "true")
            await expect(other).to_have_attribute("aria-pressed", "false")

        assert [(each.request_id, each.correct) for each in gateway.gateway.feedback.rows()] == [("mine:1", False)]


async def test_feedback_that_can_not_be_kept_says_why(browser: Browser, tmp_path: Path) -> None:
    kept = {"feedback": tmp_path / "kept.sqlite3"}
    kept["feedback"].write_bytes(b"This is no database. " * 100)
    async with running(BOX, zones=ZONES, telemetry=kept) as gateway, opened(browser, gateway.url) as dashboard:
        answer(gateway, *HELLO)
        await gateway.post(CHAT)
        await opened_up(decisions(dashboard))
        asked = dashboard.page.get_by_role("group", name="Was this answer right?")
        await asked.get_by_role("button", name="right", exact=True).click()

        await expect(asked.get_by_role("alert")).to_contain_text("not a database")
        await expect(asked.get_by_role("status")).to_be_empty()
        await expect(asked.locator("[aria-pressed=true]")).to_have_count(0)
        assert all("503" in complaint for complaint in dashboard.complaints)
        dashboard.complaints.clear()


async def test_nobody_is_asked_of_an_answer_that_is_not_there(dashboard: Dashboard, gateway: RunningGateway) -> None:
    record = Record(job(), gateway.gateway.clock())
    record.backend, record.model = "box", "small"
    gateway.gateway.decisions.add(record)
    await opened_up(decisions(dashboard))
    asked = dashboard.page.locator(".feedback")
    await expect(asked).to_have_count(1)
    await expect(asked).to_be_hidden()
    record.end("completed", gateway.gateway.clock())

    await expect(asked).to_be_visible()


async def open_all(dashboard: Dashboard) -> None:
    """Every decision, and the signals of every answer."""
    for row in await decisions(dashboard).all():
        await opened_up(row)
    for signals in await decisions(dashboard).locator(".signals > summary").all():
        await signals.click()


async def opened_up(row: Locator) -> None:
    """With all that is known of it."""
    await row.locator("> details > summary").click()


def doubted(gateway: RunningGateway, small: str, big: str) -> Record:
    """A decision whose answer was doubted; nothing better came."""
    record = done(gateway, "doubted")
    record.backend, record.model = "box", small
    notes = ("log-probabilities of 2 tokens were not told", "it is a note")
    signals = {"logprob_mean": -0.25119, "empty": 0.0, "odd": math.nan}
    opinions = (Opinion("sample", "box", small, 12, 1.2), Opinion("verifier", "attic", "judge", 1, 0.04))
    record.judged += [
        Attempt("box", small, Confidence(0.31, "small text: log-probabilities", signals, notes), 0, "best", opinions),
        Attempt("box", big, result="failed"),
    ]
    return record


async def test_a_move_of_a_running_answer_is_seen_as_it_happens(dashboard: Dashboard, gateway: RunningGateway) -> None:
    record = Record(job(), gateway.gateway.clock())
    record.backend = "gpu"
    gateway.gateway.decisions.add(record)
    moves, went = decisions(dashboard).locator(".moves li"), decisions(dashboard).locator(".went")
    await expect(went).to_have_text("gpu")
    await expect(moves).to_have_count(0)

    move = Handoff(Reason.HEAT, "zone 'card' is critical", "gpu")
    record.handoffs.append(move)
    await expect(moves).to_have_text(["gpu → … heat · running"])
    move.target, move.continuation = "cpu", Continuation.KV
    await expect(moves).to_have_text(["gpu → cpu heat · kv · running"])
    move.stall_seconds, move.result, record.backend = 0.0413, "completed", "cpu"
    await expect(moves).to_have_text(["gpu → cpu heat · kv · 41.3 ms stall"])
    await expect(went).to_have_text("cpu")


async def test_all_that_is_known_of_each_handoff_is_told_on_request(
    dashboard: Dashboard, gateway: RunningGateway
) -> None:
    moved(gateway, "gpu", "cpu")
    row = decisions(dashboard)
    await row.locator("summary").click()

    await expect(row.locator(".moves li")).to_have_text(
        [
            "gpu → cpu heat · kv · 41.3 ms stall",
            "cpu heat · wait · 12.0 s stall",
            "cpu → nowhere fault · failed",
            "cpu → … heat · running",
        ]
    )
    facts = row.locator(".more li", has=dashboard.page.locator("dl"))
    await expect(facts.locator(".name")).to_have_text(["gpu → cpu", "cpu", "cpu → nowhere", "cpu → …"])
    await expect(facts.nth(0).locator("dd")).to_have_text(
        ["heat: too hot", "kv, prepared", "57 tokens, 231 characters", "41.3 ms", "0 tokens", "completed"]
    )
    await expect(facts.nth(2).locator("dd")).to_have_text(
        ["fault: it broke off", "unknown", "0 tokens, 0 characters", "unknown", "unknown", "failed"]
    )


def moved(gateway: RunningGateway, source: str, target: str) -> None:
    """A decision whose answer has seen every kind of handoff."""
    record = Record(job(request_id="moved"), gateway.gateway.clock())
    record.backend = target
    record.handoffs += [
        Handoff(Reason.HEAT, "too hot", source, target, Continuation.KV, 57, 231, True, 0.0413, 0, "completed"),
        Handoff(Reason.HEAT, "all are hot", target, target, Continuation.WAIT, 60, 240, False, 12.0, 0, "completed"),
        Handoff(Reason.FAULT, "it broke off", target, result="failed"),
        Handoff(Reason.HEAT, "too hot", target),
    ]
    gateway.gateway.decisions.add(record)


async def test_a_name_that_is_markup_is_shown_as_it_is_written(dashboard: Dashboard, gateway: RunningGateway) -> None:
    await gateway.post(CHAT, model=MARKUP)
    row = decisions(dashboard)

    await expect(row.locator(".asked")).to_have_text(MARKUP)
    await row.locator("summary").click()
    await expect(row.locator(".more")).to_contain_text(MARKUP)
    await expect(dashboard.page.locator("#board img")).to_have_count(0)


async def test_no_markup_could_be_put_in_even_by_a_mistake(dashboard: Dashboard) -> None:
    put_in = "try { document.body.innerHTML = '<b>'; 'in' } catch (error) { error.name }"

    assert await dashboard.page.evaluate(put_in) == "TypeError"
    dashboard.complaints.clear()


async def test_what_a_backend_is_and_what_it_taught_stands_in_the_table(
    dashboard: Dashboard, gateway: RunningGateway
) -> None:
    row = dashboard.page.locator("#backends-table tbody")
    await expect(row).to_contain_text("serves small; nothing learned yet")
    await gateway.post(CHAT)

    await expect(row.get_by_role("rowheader")).to_contain_text("in zone gpu")
    await expect(row).to_contain_text("well")
    await expect(row).to_contain_text("0 of 8")
    await expect(row.get_by_role("cell", name="small", exact=True)).to_be_visible()
    await expect(row.locator(".number").first).to_have_text(re.compile(r"^[\d.]+\sms$"))


async def test_a_list_that_grows_stays_bounded_and_can_be_paused(dashboard: Dashboard, gateway: RunningGateway) -> None:
    for number in range(150):
        done(gateway, f"early-{number}")
    await expect(decisions(dashboard)).to_have_count(150)
    await dashboard.page.get_by_role("button", name="Pause").click()
    for number in range(100):
        done(gateway, f"late-{number}")
    await expect(dashboard.page.get_by_role("button", name="Go on (100 new)")).to_be_visible()
    await expect(decisions(dashboard)).to_have_count(150)
    await dashboard.page.get_by_role("button", name="Go on (100 new)").click()

    await expect(decisions(dashboard)).to_have_count(200)
    await decisions(dashboard).first.locator("summary").click()
    await expect(decisions(dashboard).first).to_contain_text("late-99")


async def test_an_opened_decision_stays_where_it_is(dashboard: Dashboard, gateway: RunningGateway) -> None:
    done(gateway, "read-me")
    await decisions(dashboard).locator("summary").click()
    done(gateway, "later")

    await expect(dashboard.page.get_by_role("button", name="Go on (1 new)")).to_be_visible()
    await expect(decisions(dashboard)).to_have_count(1)
    await expect(decisions(dashboard)).to_contain_text("read-me")


def done(gateway: RunningGateway, name: str) -> Record:
    """A decision that was made and is over."""
    record = Record(job(request_id=name), gateway.gateway.clock())
    record.end("completed", gateway.gateway.clock())
    gateway.gateway.decisions.add(record)
    return record


async def test_a_locked_gateway_asks_for_its_key_and_keeps_it_in_this_tab(browser: Browser) -> None:
    keys = {"admin_keys": [{"name": "root", "key": ADMIN}], "api_keys": [{"name": "ann", "key": OTHER}]}
    async with running(BOX, zones=ZONES, server=keys) as gateway, opened(browser, gateway.url) as dashboard:
        page, dialog = dashboard.page, dashboard.page.get_by_role("dialog", name="An admin key, please")
        await expect(dialog).to_contain_text("This gateway is locked")
        for wrong, why in (("sk-wrong-key", "not known here"), (OTHER, "needs an admin key")):
            await dialog.get_by_label("Admin key").fill(wrong)
            await dialog.get_by_role("button", name="Open").click()
            await expect(dialog).to_contain_text(why)
        await page.keyboard.press("Escape")
        await expect(page.locator("#connection")).to_contain_text("locked")
        await page.get_by_role("button", name="Enter a key").click()
        await dialog.get_by_label("Admin key").fill(ADMIN)
        await page.keyboard.press("Enter")
        await dashboard.live()
        await expect(zone(dashboard, "gpu")).to_contain_text("40.0 °C")
        await mode(dashboard, "quiet").click()
        await expect(page.locator("#mode-in-force")).to_have_text("quiet")
        await page.reload()
        await dashboard.live()

        assert await page.evaluate("Object.values(sessionStorage)") == [ADMIN]
        assert ADMIN not in str(await page.evaluate("[Object.values(localStorage), document.cookie]"))
        assert ADMIN not in "".join(dashboard.asked_for)
        assert all(re.search("401|403", complaint) for complaint in dashboard.complaints)
        dashboard.complaints.clear()


async def test_a_gateway_that_goes_away_is_missed_and_found_again(browser: Browser) -> None:
    async with running(BOX, zones=ZONES) as first:
        port = first.port
        context = opened(browser, first.url)
        dashboard = await context.__aenter__()
        await dashboard.live()
    await expect(dashboard.page.locator("#connection")).to_have_text("connection lost, trying again")
    async with running(zones=[{"id": "other", "sensor": SIMULATED}], server={"port": port}):
        await dashboard.live()
        await expect(zone(dashboard, "other")).to_contain_text("40.0 °C")
        await expect(zone(dashboard, "gpu")).to_have_count(0)
        dashboard.complaints.clear()
        await context.__aexit__(None, None, None)


async def test_without_anything_configured_it_says_what_to_do(browser: Browser) -> None:
    async with running() as gateway, opened(browser, gateway.url) as dashboard:
        await dashboard.live()

        await expect(dashboard.page.locator("#zones-empty")).to_contain_text("sensor: {kind: auto}")
        await expect(dashboard.page.locator("#backends-empty")).to_contain_text("kind: ollama")
        await expect(dashboard.page.locator("#decisions-empty")).to_contain_text("Nothing has been asked yet")
        await expect(dashboard.page.locator("#backends-table")).to_be_hidden()


async def test_it_asks_nobody_but_its_gateway(dashboard: Dashboard, gateway: RunningGateway) -> None:
    assert dashboard.asked_for
    assert all(url.startswith(f"{gateway.url}/") for url in dashboard.asked_for)


@pytest.mark.parametrize("width", [360, 390, 820, 1280, 1600])
async def test_it_is_never_wider_than_its_window(browser: Browser, width: int) -> None:
    zones = [{"id": f"node-{number}-graphics-card", "sensor": SIMULATED} for number in range(12)]
    backends = [{**BOX, "id": f"box-{number}", "zone": zones[0]["id"], "models": ["small"]} for number in range(4)]
    async with (
        running(*backends, zones=zones) as gateway,
        opened(browser, gateway.url, viewport={"width": width, "height": 800}) as dashboard,
    ):
        await gateway.post(CHAT, model=f"a-name-that-has-no-place-to-be-broken-{'x' * 60}")
        moved(gateway, "a" * 64, "b" * 64)
        doubted(gateway, "c" * 64, "d" * 64)
        await expect(decisions(dashboard)).to_have_count(3)
        await open_all(dashboard)

        assert await dashboard.width_beyond() <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_can_be_read_in_either_scheme(browser: Browser, gateway: RunningGateway, scheme: str) -> None:
    async with opened(browser, gateway.url, color_scheme=scheme) as dashboard:
        await gateway.post(CHAT)
        await gateway.post(CHAT, model=MARKUP)
        moved(gateway, "gpu", "cpu")
        doubted(gateway, "small", "big")
        await expect(decisions(dashboard)).to_have_count(4)
        await open_all(dashboard)
        for celsius, state in ((40, "nominal"), (75, "warning"), (90, "critical"), (99, "shutdown")):
            await gateway.client.put("/admin/zones/gpu", json={"celsius": celsius})
            await expect(zone(dashboard, "gpu").locator(".state-word")).to_have_text(state)

            assert await dashboard.page.evaluate(CONTRAST) == [], state


async def test_the_theme_follows_the_system_until_it_is_chosen(browser: Browser, gateway: RunningGateway) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    async with opened(browser, gateway.url, color_scheme="dark") as dashboard:
        page = dashboard.page
        dark = await page.evaluate(ground)
        await page.get_by_role("button", name="Theme: auto").click()
        light = await page.evaluate(ground)
        await page.reload()

        assert light != dark
        assert await page.evaluate(ground) == light
        await page.get_by_role("button", name="Theme: light").click()
        assert await page.evaluate(ground) == dark
        await expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()


async def test_closing_the_page_frees_its_place(browser: Browser, gateway: RunningGateway) -> None:
    async with opened(browser, gateway.url) as dashboard:
        await dashboard.live()
        assert gateway.app.state.board.watchers == 1

    await until(lambda: gateway.app.state.board.watchers == 0)


async def test_events_are_read_however_the_stream_was_cut(dashboard: Dashboard) -> None:
    text = ": ping\n\nevent: state\r\ndata: {\r\ndata: }\r\n\r\ndata:x\n\nevent: none\n\nevent: late\rdata: é\r\r"
    read = """async (text) => {
        const { EventReader } = await import("/dashboard/sse.js");
        return Array.from({ length: text.length }, (_, cut) => {
            const reader = new EventReader();
            return [text.slice(0, cut), text.slice(cut), "\\n"].flatMap((part) => reader.push(part));
        });
    }"""
    expected = [
        {"event": "state", "data": "{\n}"},
        {"event": "message", "data": "x"},
        {"event": "late", "data": "é"},
    ]

    assert await dashboard.page.evaluate(read, text) == [expected] * len(text)


def test_who_watches_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    config = tmp_path / "isotherm.yaml"
    config.write_text("server: {drain_seconds: 600}\nzones: [{id: gpu, sensor: {kind: simulated}}]\n")
    with (
        serving(tmp_path, config) as gateway,
        httpx.stream("GET", f"{gateway.url}/admin/events", trust_env=False, timeout=30) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == "event: state"
        gateway.stop()  # raises TimeoutExpired after 20 s

    assert "cut off" not in gateway.log
    assert "mistake" not in gateway.log
