"""GET /metrics."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.answers import RESET, Json, Silence, Stream
from tests.fakes.openai_server import PROMPT_TOKENS, OpenAiServer
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, backend, running, until

pytestmark = pytest.mark.anyio

Labels = tuple[tuple[str, str], ...]


class Scrape(dict[tuple[str, Labels], float]):
    """Every sample of a scrape."""

    def value(self, name: str, **labels: str) -> float:
        """0 where there is no such sample, as Prometheus would add it up."""
        return self.get((name, tuple(sorted(labels.items()))), 0.0)

    def labels(self, name: str) -> set[Labels]:
        return {labels for sample, labels in self if sample == name}


async def scrape(gateway: RunningGateway) -> Scrape:
    families = await _families(gateway)
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    return Scrape(samples)


async def _families(gateway: RunningGateway) -> list[Metric]:
    response = await gateway.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return list(text_string_to_metric_families(response.text))


async def test_the_text_parses_even_before_anything_has_happened(gateway: RunningGateway) -> None:
    families = await _families(gateway)

    assert {family.name for family in families} >= {"isotherm_requests", "isotherm_backend_health"}
    assert all(family.documentation for family in families)
    assert all(family.type in ("counter", "gauge", "histogram") for family in families)


async def test_requests_are_counted_by_endpoint_and_status(gateway: RunningGateway) -> None:
    for path in (CHAT, CHAT, COMPLETE, EMBED):
        await gateway.post(path)
    await gateway.stream(CHAT)
    await gateway.post(CHAT, model="nothing")
    await gateway.post(EMBED, input=[])
    await gateway.client.post(CHAT, content=b"{")
    seen = await scrape(gateway)

    assert seen.value("isotherm_requests_total", endpoint="chat", status="200") == 3
    assert seen.value("isotherm_requests_total", endpoint="chat", status="404") == 1
    assert seen.value("isotherm_requests_total", endpoint="chat", status="400") == 1
    assert seen.value("isotherm_requests_total", endpoint="complete", status="200") == 1
    assert seen.value("isotherm_requests_total", endpoint="embed", status="200") == 1
    assert seen.value("isotherm_requests_total", endpoint="embed", status="400") == 1
    assert seen.value("isotherm_request_duration_seconds_count", endpoint="chat") == 5
    assert seen.value("isotherm_request_duration_seconds_sum", endpoint="chat") > 0


async def test_the_buckets_of_a_histogram_add_up(gateway: RunningGateway) -> None:
    for _ in range(3):
        await gateway.post(CHAT)
    seen = await scrape(gateway)

    buckets = sorted(
        (float(dict(labels)["le"]), value)
        for (name, labels), value in seen.items()
        if name == "isotherm_time_to_first_chunk_seconds_bucket"
    )
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert buckets[-1] == (float("inf"), 3)
    assert seen.value("isotherm_time_to_first_chunk_seconds_count", backend="box") == 3


async def test_tokens_are_counted_by_backend(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    for path in (CHAT, COMPLETE, EMBED):
        await gateway.post(path)
    await gateway.stream(CHAT)
    seen = await scrape(gateway)

    assert seen.value("isotherm_prompt_tokens_total", backend="box") == 4 * PROMPT_TOKENS
    assert seen.value("isotherm_completion_tokens_total", backend="box") == 3 * len(upstream.words)


async def test_what_became_of_each_job_is_counted() -> None:
    async with (
        OpenAiServer() as ill,
        OpenAiServer() as well,
        running(backend("openai", ill), backend("openai", well, id="spare", tier=2)) as gateway,
    ):
        ill.script = lambda _: Json({}, 500)
        await gateway.post(CHAT)
        ill.script = lambda request: Stream([*ill.pieces(request)[:2], RESET], apart=True)
        await gateway.stream(CHAT)
        ill.script = lambda request: Stream([*ill.pieces(request)[:2], asyncio.Event()])
        async with gateway.opened(CHAT):
            """Left as soon as it began."""
        await gateway.until_idle("box")
        ill.script = None
        await gateway.post(CHAT)
        seen = await scrape(gateway)

    outcomes = {
        (dict(labels)["backend"], dict(labels)["outcome"]): value
        for (name, labels), value in seen.items()
        if name == "isotherm_answers_total"
    }
    assert outcomes == {
        ("box", "refused"): 1,
        ("spare", "completed"): 1,
        ("box", "broken"): 1,
        ("box", "left"): 1,
        ("box", "completed"): 1,
    }
    assert seen.value("isotherm_requests_total", endpoint="chat", status="499") == 1


async def test_first_choices_are_counted_with_the_rule_that_weighed_most() -> None:
    async with OpenAiServer() as first, OpenAiServer() as second:
        told = backend("openai", first), backend("openai", second, id="second", tier=2)
        async with running(*told) as gateway:
            await gateway.post(CHAT)
            await gateway.post(EMBED)
            await gateway.post(CHAT, model="nothing")
            seen = await scrape(gateway)

    assert seen.value("isotherm_routing_decisions_total", backend="box", rule="mode-order") == 2
    assert len(seen.labels("isotherm_routing_decisions_total")) == 1


async def test_the_gauges_show_backends_as_they_stand() -> None:
    async with OpenAiServer() as dead, OpenAiServer() as busy:
        dead.refuse()
        told = backend("openai", dead, id="dead"), backend("openai", busy, id="busy", concurrency=1)
        async with running(*told) as gateway:
            asked = len(busy.requests)
            busy.script = lambda _: Silence()
            jobs = [asyncio.ensure_future(gateway.post(CHAT)) for _ in range(2)]
            await busy.asked(asked + 1)
            await until(lambda: bool(gateway.gateway.lanes["busy"].waiting()))
            seen = await scrape(gateway)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await gateway.until_idle("busy")

    assert seen.value("isotherm_backend_busy", backend="busy") == 1
    assert seen.value("isotherm_backend_waiting", backend="busy") == 1
    assert seen.value("isotherm_backend_health", backend="dead", state="open") == 1
    assert seen.value("isotherm_backend_health", backend="dead", state="closed") == 0
    assert seen.value("isotherm_backend_health", backend="busy", state="closed") == 1


async def test_labels_never_hold_what_a_client_sent(gateway: RunningGateway) -> None:
    for number in range(20):
        await gateway.post(CHAT, model=f"invented-{number}", user=f"user-{number}")
        await gateway.get(f"/v1/nothing-{number}")
    await gateway.post(CHAT, headers={"X-Request-ID": "my-own-id"})
    text = (await gateway.get("/metrics")).text

    assert "invented" not in text
    assert "user-" not in text
    assert "nothing" not in text
    assert "my-own-id" not in text


async def test_zones_and_the_mode_in_force_are_shown_as_they_stand() -> None:
    zones = [{"id": "gpu", "sensor": {"kind": "simulated", "celsius": 40}}, {"id": "blind"}]
    async with running(zones=zones, routing={"mode": "quiet"}) as gateway:
        await gateway.client.put("/admin/zones/gpu", json={"celsius": 91, "watts": 30, "fan_percent": 50})
        told = await scrape(gateway)

    assert told.value("isotherm_zone_temperature_celsius", zone="gpu") == 91
    assert told.value("isotherm_zone_power_watts", zone="gpu") == 30
    assert told.value("isotherm_zone_fan_ratio", zone="gpu") == 0.5
    assert told.value("isotherm_zone_state", zone="gpu", state="critical") == 1
    assert told.value("isotherm_zone_state", zone="blind", state="unknown") == 1
    assert told.labels("isotherm_zone_temperature_celsius") == {(("zone", "gpu"),)}
    assert told.value("isotherm_mode", mode="quiet") == 1
    assert told.value("isotherm_mode", mode="balanced") == 0


async def test_energy_is_counted_by_how_it_is_known_and_what_nobody_knows_is_counted_apart() -> None:
    async with OpenAiServer() as first, OpenAiServer() as second:
        told = (backend("openai", first, id="known", watts=10), backend("openai", second, id="unknown"))
        async with running(*told) as gateway:
            for name in ("known", "unknown"):
                await gateway.post(CHAT, headers={"X-Target-Backend": name})
            read = await scrape(gateway)

    assert read.value("isotherm_energy_joules_total", backend="known", source="estimated") > 0
    assert read.labels("isotherm_energy_joules_total") == {(("backend", "known"), ("source", "estimated"))}
    assert read.value("isotherm_unmetered_answers_total", backend="unknown") == 1
    assert read.value("isotherm_unmetered_answers_total", backend="known") == 0


async def test_jobs_are_counted_by_kind_and_limits_that_gave_way_by_whose_they_were() -> None:
    async with OpenAiServer() as server, running(backend("openai", server), routing={"mode": "quiet"}) as gateway:
        await gateway.post(CHAT, headers={"X-Media-Type": "code"})
        read = await scrape(gateway)

    assert read.value("isotherm_jobs_total", workload="code") == 1
    assert read.value("isotherm_relaxed_decisions_total", limit="mode") == 1
