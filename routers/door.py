"""The hot door: a raw ASGI endpoint from a request's first byte to its answer's last.

FastAPI's own machinery (dependencies, Request and Response objects) costs more than all the rest of a gateway's
work, so the two doors that carry streams do without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import orjson
from starlette.types import Receive, Scope, Send

from app.domain.backend import Capability
from app.domain.decision import Decision
from app.domain.errors import BackendError, BadRequestError, IsothermError
from app.domain.job import Job, Wishes
from app.domain.sse import DONE, encode
from app.gateway import Gateway
from app.keyring import Client
from app.relay.answer import Answer
from app.relay.watch import Watch
from app.routing.decide import why_no_route
from app.telemetry.decisions import Record
from routers.errors import envelope, headers_of, mistake, status_of
from routers.head import ClientLeftError, Headers, answer_headers, read_body, request_id_of
from routers.job import Caller, unsendable
from routers.wishes import read_wishes

logger = logging.getLogger(__name__)

_KEEP_ALIVE = {"type": "http.response.body", "body": b": keep-alive\n\n", "more_body": True}
_CLIENT_LEFT = 499  # nginx's word for it, in the metrics only
_NOT_YET = 500

MakeJob = Callable[[bytes, Caller], Job]


class Door:
    """`make_job(body, caller)` reads the body and raises BadRequestError; `visit` carries the answer."""

    def __init__(self, capability: Capability, make_job: MakeJob, visit: type[Visit] | None = None) -> None:
        self._capability = capability
        self._make_job = make_job
        self._visit = visit or Visit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway: Gateway = scope["app"].state.serving.gateway
        visit = self._visit(gateway, scope, receive, send)
        started = gateway.clock()
        try:
            await visit.serve(self._make_job)
        except IsothermError as error:
            await visit.refuse(error)
        except ClientLeftError:
            visit.status = _CLIENT_LEFT
        except Exception:
            if not visit.began:
                await visit.refuse(mistake())
            raise
        finally:
            metrics = gateway.metrics
            metrics.requests[self._capability, visit.status] += 1
            metrics.request_seconds[self._capability].observe(gateway.clock() - started)


class Visit:
    """One request at a door."""

    __slots__ = ("_gateway", "_keep_alive", "_listener", "_receive", "_request_id", "_scope", "_send", "status")

    def __init__(self, gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
        self._gateway = gateway
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_id = ""
        self._listener: asyncio.Task[None] | None = None
        self._keep_alive: asyncio.Task[None] | None = None
        self.status = _NOT_YET

    @property
    def began(self) -> bool:
        """Whether the client has been promised something."""
        return self.status != _NOT_YET

    async def serve(self, make_job: MakeJob) -> None:
        """Raises IsothermError while nothing has been sent, ClientLeftError when nobody is there to send to."""
        gateway = self._gateway
        headers = dict(self._scope["headers"])
        self._request_id = request_id_of(headers.get(b"x-request-id"))
        client = gateway.keyring.enter(headers.get(b"authorization"))
        limit = gateway.settings.server.max_body_bytes
        body = await read_body(self._receive, headers.get(b"content-length"), limit)
        wishes = self._wishes(headers, client)
        job = make_job(body, Caller(self._request_id, client.name, wishes))
        client.check_model(job.model)
        record = Record(job, gateway.clock())
        gateway.decisions.add(record)
        record.decision = decision = gateway.decide(job)
        self._count(job, decision)
        watch = gateway.relay.watch()
        watch.on_long = partial(self._listen, watch)
        try:
            await self._carry(job, decision, record, watch)
        except asyncio.CancelledError:
            if not watch.left and watch.expired is None:  # else it left, or was too slow to read to the end
                raise
            watch.task.uncancel()
            raise ClientLeftError from None
        except IsothermError as error:
            record.end("failed", gateway.clock(), error.message)
            raise
        except TypeError:
            if self.began or (fault := unsendable(job.body)) is None:
                raise
            record.end("failed", gateway.clock(), fault.message)
            raise fault from None
        finally:
            gateway.relay.forget(watch)
            if self._listener is not None:
                self._listener.cancel()
            record.end("left", gateway.clock())

    def _wishes(self, headers: Mapping[bytes, bytes], client: Client) -> Wishes:
        """What the headers ask for, within what the key allows."""
        gateway, wishes = self._gateway, read_wishes(headers)
        if wishes.target is not None and wishes.target not in gateway.lanes:
            raise BadRequestError(
                f"There is no backend '{wishes.target}' here; there are {', '.join(gateway.lanes)}.",
                param="X-Target-Backend",
                code="backend_not_found",
            )
        if client.watt_hours_per_day is not None and client.name is not None:
            gateway.ledger.check(client.name, client.watt_hours_per_day)
        for name in (wishes.forwarding or {}).get("escalation_path", ()):
            client.check_model(name)
        if client.max_watts is not None:
            wishes = replace(wishes, max_watts=min(client.max_watts, wishes.max_watts or client.max_watts))
        return wishes

    def _count(self, job: Job, decision: Decision) -> None:
        metrics = self._gateway.metrics
        metrics.workloads[job.workload] += 1
        if decision.relaxed is not None:
            metrics.relaxed[decision.relaxed.name.lower()] += 1
        if decision.routes:
            metrics.decisions[decision.routes[0].backend, decision.routes[0].rule] += 1

    async def refuse(self, error: IsothermError) -> None:
        """An error as the whole answer."""
        self.status = status_of(error)
        headers: Headers = [(b"content-type", b"application/json"), *headers_of(error)]
        if self._request_id:
            headers.append((b"x-request-id", self._request_id.encode("ascii")))
        await self._send_whole(self.status, headers, orjson.dumps(envelope(error)))

    async def _carry(self, job: Job, decision: Decision, record: Record, watch: Watch) -> None:
        if not decision.routes:
            raise why_no_route(job, decision)
        relay = self._gateway.relay
        answer = await relay.open(job, decision, record, watch)
        failure: BackendError | None = None
        try:
            await (self._stream if job.stream else self._whole)(job, answer, decision, watch)
        except BackendError as error:
            failure = error
            if not job.stream:
                raise
            await self._break_off(error)
        finally:
            await relay.close(answer, record, failure)

    async def _stream(self, job: Job, answer: Answer, decision: Decision, watch: Watch) -> None:
        send = self._send
        headers = answer_headers(job, answer.route, decision, b"text/event-stream; charset=utf-8", answer.judged)
        headers.append((b"cache-control", b"no-cache"))
        headers.append((b"x-accel-buffering", b"no"))
        self.status = 200
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        watch.on_silence = partial(self._break_silence, watch)
        block = answer.first
        while True:
            if block:
                await send({"type": "http.response.body", "body": block, "more_body": not answer.complete})
            if answer.complete:
                return
            block = await answer.next()

    async def _whole(self, job: Job, answer: Answer, decision: Decision, watch: Watch) -> None:  # noqa: ARG002
        while not answer.complete:
            await answer.next()
        content = orjson.dumps(answer.whole())
        headers = answer_headers(job, answer.route, decision, b"application/json", answer.judged)
        self.status = 200
        await self._send_whole(200, headers, content)

    async def _break_off(self, error: BackendError) -> None:
        """Nothing can be taken back: the client is told that what it has is not all."""
        logger.warning("request %s: %s", self._request_id, error.message)
        ending = encode(orjson.dumps(envelope(error))) + DONE
        await self._send({"type": "http.response.body", "body": ending, "more_body": False})

    async def _send_whole(self, status: int, headers: Headers, content: bytes) -> None:
        headers.append((b"content-length", b"%d" % len(content)))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": content, "more_body": False})

    def _break_silence(self, watch: Watch) -> None:
        self._keep_alive = asyncio.create_task(self._send_keep_alive(watch))

    async def _send_keep_alive(self, watch: Watch) -> None:
        if watch.waiting_since is not None:  # else a block has come meanwhile
            await self._send(_KEEP_ALIVE)

    def _listen(self, watch: Watch) -> None:
        self._listener = asyncio.create_task(self._wait_for_leaving(watch))

    async def _wait_for_leaving(self, watch: Watch) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        watch.leave()
