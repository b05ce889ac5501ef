"""What doubt costs and saves: a token of a judged stream, and a small real model with one behind it that is right.

    python -m tests.bench.doubt [QUESTIONS]

The limit is that of the project: under 20 us for a token in the stream.
"""

from __future__ import annotations

import sys
import tempfile
import timeit
from pathlib import Path

import orjson
import yaml

from app.commands.doubt_forwarding import compare
from app.commands.doubt_questions import questions
from app.commands.gateway_client import GatewayClient
from app.commands.served import served
from app.confidence.calibration import read_calibration
from app.confidence.judge import Judge
from app.domain.confidence import Forwarding
from app.domain.decision import Route
from app.relay.doubt import Doubt
from app.wiring import CALIBRATION
from config.settings import Settings
from tests.app.builders import candidate, job, lane
from tests.bench.oracle import WATTS, oracle
from tests.fakes.clock import FakeClock

LIMIT_MICROSECONDS = 20.0
TOKENS = 1000
SMALL_WATTS = 9
CONFIDENCE = 0.75
QUESTIONS = 40


def token_microseconds() -> float:
    """To hear a token as llama.cpp tells it with five others, to judge the answer every sixteenth time, and to take
    out of the event what its client did not ask for.
    """
    judge = Judge(read_calibration(CALIBRATION.read_bytes()), 0.8)
    events = [_event(number) for number in range(TOKENS)]
    made, _ = lane("box", FakeClock())

    def hear() -> None:
        doubt = Doubt(Forwarding(min_confidence=0.0), judge, job(), [])
        doubt.ask(job(), made)
        doubt.listen(Route(candidate(), (), 0.0))
        for event in events:
            doubt.hear(event)

    return min(timeit.repeat(hear, number=1, repeat=7)) / TOKENS * 1e6


def _event(number: int) -> bytes:
    top = [_token(f" word{other}", -0.2 - other * 1.3) for other in range(5)]
    told = {**_token(" word", -0.2 - number % 7 / 10), "top_logprobs": top}
    choice = {"finish_reason": None, "index": 0, "delta": {"content": f" word{number}"}}
    event = {"choices": [{**choice, "logprobs": {"content": [told]}}], "created": 1, "id": "chatcmpl-1", "model": "m"}
    return b"data: " + orjson.dumps(event) + b"\n\n"


def _token(word: str, logprob: float) -> dict[str, object]:
    return {"id": 1, "token": word, "bytes": list(word.encode()), "logprob": logprob}


def forwarding(wanted: int) -> None:
    """Print what a small model gains by one that is always right."""
    found = list(questions())
    asked = found[:: max(1, len(found) // wanted)]
    with tempfile.TemporaryDirectory() as directory, oracle({each.text: each.truths[0] for each in found}) as url:
        file = Path(directory) / "doubt.yaml"
        small = {"id": "small", "kind": "llamacpp", "model": "smollm2-135m", "tier": 1, "watts": SMALL_WATTS}
        large = {"id": "large", "kind": "openai", "url": f"{url}/v1", "models": ["oracle-8b"], "tier": 3}
        large |= {"hardware": "nvidia", "watts": WATTS}
        file.write_text(yaml.safe_dump({"backends": [small, large]}))
        with served(file, _as_it_is) as gateway:
            client = GatewayClient(gateway, None)
            name = next(each["id"] for each in client.get("/v1/models")["data"] if "mol" in each["id"].lower())
            sys.stdout.write("\n".join(compare(client, asked, name, "oracle-8b", CONFIDENCE)) + "\n")
            client.close()


def _as_it_is(settings: Settings) -> Settings:
    return settings


def main() -> None:
    spent = token_microseconds()
    sys.stdout.write(f"a judged token: {spent:.1f} us (limit {LIMIT_MICROSECONDS:g})\n")
    forwarding(int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS)


if __name__ == "__main__":
    main()
