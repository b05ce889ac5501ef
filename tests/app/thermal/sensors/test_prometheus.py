"""Another machine's exporter, over a real connection."""

from __future__ import annotations

import asyncio
import gzip
from itertools import chain, repeat
from typing import Any

import pytest

from app.domain.thermal import Battery, Reading
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.prometheus import Counters, PrometheusSensor, PrometheusSettings
from tests.fakes.answers import CLOSE, RESET, Answer, Json, Raw, Silence, Stream
from tests.fakes.http_server import HttpServer
from tests.fakes.wire import Request

pytestmark = pytest.mark.anyio

TEXT = "text/plain; version=0.0.4"
CARD = 'DCGM_FI_DEV_GPU_TEMP{gpu="0"} 68\nDCGM_FI_DEV_GPU_TEMP{gpu="1"} 72\n'
LAPTOP = 'node_power_supply_capacity{power_supply="BAT0"} 97\nnode_power_supply_online{power_supply="AC"} 1\n'


def page(text: str) -> Answer:
    return Json(text.encode(), content_type=TEXT)


def energy(**joules: float) -> Answer:
    return page(
        "".join(f'isotherm_zone_energy_joules_total{{zone="{zone}"}} {each}\n' for zone, each in joules.items())
    )


class Asked:
    """What one sensor reads from answers that come one after the other, and what was asked for."""

    def __init__(self, **keys: Any) -> None:
        self.keys = keys
        self.requests: list[Request] = []
        self.connections = 0
        self.clock: Any = None

    async def read(self, *answers: Answer) -> Reading:
        """The last reading."""
        async with HttpServer() as server:
            coming = iter(answers)
            server.script = lambda _: next(coming)
            settings = PrometheusSettings(url=f"{server.url}/metrics", **{"timeout_seconds": 20, **self.keys})
            clock = {} if self.clock is None else {"clock": self.clock}
            sensor = PrometheusSensor(settings, Surroundings("box"), **clock)
            try:
                readings = [await asyncio.to_thread(sensor.read, float(second)) for second, _ in enumerate(answers)]
            finally:
                await asyncio.to_thread(sensor.close)
                self.requests, self.connections = server.requests, server.connections
        return readings[-1]

    async def refusal(self, *answers: Answer) -> str:
        with pytest.raises(SensorLostError) as refused:
            await self.read(*answers)
        return refused.value.message


async def test_a_page_is_a_reading() -> None:
    assert await Asked(select={"gpu": "1"}).read(page(CARD)) == Reading(0.0, celsius=72)


async def test_it_asks_for_plain_text_and_keeps_its_connection() -> None:
    asked = Asked()
    reading = await asked.read(page(CARD), page(CARD), page(CARD))

    assert reading.at == 2.0
    assert [request.path for request in asked.requests] == ["/metrics"] * 3
    assert asked.requests[0].headers["accept"].startswith("text/plain")
    assert "authorization" not in asked.requests[0].headers
    assert asked.connections == 1


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert (await Asked().read(page(CARD))).celsius == 72


async def test_its_key_is_sent_as_a_bearer_token() -> None:
    asked = Asked(api_key="sk-hush")
    await asked.read(page(CARD))

    assert asked.requests[0].headers["authorization"] == "Bearer sk-hush"


async def test_the_exporter_can_be_named() -> None:
    both = page(CARD + "node_thermal_zone_temp 40\n")

    assert (await Asked(exporter="node_exporter").read(both)).celsius == 40
    assert (await Asked(exporter="dcgm").read(both)).celsius == 72


async def test_a_battery_comes_with_whatever_is_selected_of_node_exporter() -> None:
    laptop = page(LAPTOP + 'node_hwmon_temp_celsius{chip="a"} 50\n')

    assert (await Asked(select={"chip": "a"}).read(laptop)).battery == Battery(97, plugged=True)
    assert (await Asked(exporter="dcgm").read(page(LAPTOP + CARD))).battery is None


async def test_a_battery_alone_is_something_unless_something_else_was_meant() -> None:
    assert await Asked().read(page(LAPTOP)) == Reading(0.0, battery=Battery(97, plugged=True))
    assert "no metric" in await Asked(select={"chip": "a"}).refusal(page(LAPTOP))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Json({}, status=404), "it answers 404"),
        (Json({}, status=401), "it answers 401"),
        (Json(b"", status=302, headers={"Location": "http://127.0.0.1:9/"}), "it answers 302"),
        (page("<html>"), "its page has no metric that is known here"),
        (page("DCGM_FI_DEV_GPU_TEMP warm\n"), "its page is not in Prometheus' text format"),
        (Stream([b"DCGM_FI_DEV", CLOSE]), "it can't be reached (RemoteProtocolError)"),
        (Raw([RESET]), "it can't be reached (ReadError)"),
        (Raw([b"hello\r\n\r\n"]), "it can't be reached (RemoteProtocolError)"),
        (page(CARD + "x" * 4 * 1024 * 1024), "its page is longer than 4 MiB"),
    ],
)
async def test_what_goes_wrong_is_said(answer: Answer, said: str) -> None:
    assert await Asked().refusal(answer) == said


async def test_a_selection_that_nothing_has_is_said() -> None:
    said = await Asked(select={"gpu": "7"}, exporter="dcgm").refusal(page(CARD))

    assert said == "its page has no metric of dcgm that is known here with gpu=7"


async def test_a_page_that_was_packed_against_its_will_is_not_unpacked() -> None:
    bomb = Json(gzip.compress(CARD.encode()), content_type=TEXT, headers={"Content-Encoding": "gzip"})

    assert await Asked().refusal(bomb) == "its page has no metric that is known here"


async def test_an_exporter_that_says_nothing_is_given_up() -> None:
    assert await Asked(timeout_seconds=0.05).refusal(Silence()) == "it took longer than 0.05 s"


async def test_the_time_is_that_of_the_whole_page_and_not_of_each_piece() -> None:
    asked = Asked(timeout_seconds=10)
    ticks = chain([0.0], repeat(11.0))
    asked.clock = lambda: next(ticks)

    assert await asked.refusal(Stream([CARD.encode()])) == "it took longer than 10 s"


async def test_a_server_that_is_not_there_is_said() -> None:
    async with HttpServer() as server:
        settings = PrometheusSettings(url=f"{server.url}/metrics", api_key="sk-hush")
    sensor = PrometheusSensor(settings, Surroundings("box"))

    with pytest.raises(SensorLostError, match=r"it can't be reached \(ConnectError\)"):
        await asyncio.to_thread(sensor.read, 1.0)
    sensor.close()


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://h:99999/metrics", "http://" + "a" * 300 + "/", "http://\u2100.example/"]
)
def test_an_address_that_leads_nowhere_is_lost(url: str) -> None:
    sensor = PrometheusSensor(PrometheusSettings(url=url), Surroundings("box"))

    with pytest.raises(SensorLostError, match="it can't be reached"):
        sensor.read(1.0)
    sensor.close()


@pytest.mark.parametrize("url", ["box:9100", "ftp://box/", "http://a b/", "http:///metrics"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        PrometheusSettings(url=url)


async def test_after_a_failure_it_can_be_read_again() -> None:
    async with HttpServer() as server:
        answers = iter([Raw([RESET]), page(CARD)])
        server.script = lambda _: next(answers)
        sensor = PrometheusSensor(PrometheusSettings(url=server.url), Surroundings("box"))
        with pytest.raises(SensorLostError):
            await asyncio.to_thread(sensor.read, 1.0)
        reading = await asyncio.to_thread(sensor.read, 2.0)
        sensor.close()

    assert reading.celsius == 72


@pytest.mark.parametrize("answer", [Json({}, status=401), Raw([RESET]), page("")])
async def test_its_key_is_never_in_an_error(answer: Answer) -> None:
    assert "hush" not in await Asked(api_key="sk-hush").refusal(answer)
    assert "hush" not in repr(PrometheusSettings(url="http://box/metrics", api_key="sk-hush"))


async def test_joules_count_from_the_first_page_on() -> None:
    assert (await Asked().read(energy(a=500))).joules == 0.0
    assert (await Asked().read(energy(a=500), energy(a=520.5))).joules == 20.5


async def test_a_page_without_a_counter_has_no_joules() -> None:
    assert (await Asked().read(energy(a=500), page(CARD))).joules is None


def test_a_counter_that_starts_anew_adds_only_what_it_counts_then() -> None:
    counters, a = Counters(), frozenset({("zone", "a")})

    assert [counters.count({a: joules}) for joules in (500, 510, 3, 8)] == [0, 10, 10, 15]


def test_one_of_several_that_goes_missing_for_a_while_makes_no_leap() -> None:
    counters, a, b = Counters(), frozenset({("zone", "a")}), frozenset({("zone", "b")})

    pages = [{a: 500.0, b: 9000.0}, {a: 510.0}, {a: 520.0, b: 9005.0}, {}]
    assert [counters.count(page) for page in pages] == [0, 10, 25, None]
