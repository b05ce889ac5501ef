"""The program around one OpenVINO GenAI pipeline: it loads a model, answers jobs, and leaves with the gateway.

Reads its configuration as one line of JSON: model, device, stateful, slots, context, threads, compile_cache.
Says {"context", "chat"} when the model is loaded: the tokens that fit, and whether it has a chat template.
Jobs: {"id", "messages" or "prompt", "seed", "max_tokens", "logprobs"?, "schema"?, sampling...} or {"cancel": id}.
Answers: {"id", "text", "tokens", "prompt_tokens", "logprobs"?} a step, {"id", "end": "stop" or "length"} at last,
or {"id", "error", "status"?, "param"?, "code"?}.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the library prints is no answer

    def say(line: dict[str, Any]) -> None:
        print(json.dumps(line), file=answers, flush=True)

    wanted = json.loads(sys.stdin.buffer.readline())
    jobs: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    sys.path.append(str(Path(__file__).parents[2]))  # last, so that it hides nothing: for the files beside this one
    from backends.workers.openvino_batching import Batching
    from backends.workers.openvino_engine import ENGINE_ERRORS, words
    from backends.workers.openvino_stateful import Stateful
    from backends.workers.orphan import end_with_parent

    end_with_parent()
    try:
        import openvino_genai as genai

        engine = (Stateful if wanted["stateful"] else Batching)(genai, wanted, say)
        say({"context": engine.context, "chat": bool(engine.tokenizer.chat_template)})
        engine.serve(jobs)
    except ImportError as error:
        _leave(f"openvino-genai can't be loaded ({error}): pip install 'isotherm[openvino]'")
    except ENGINE_ERRORS as error:
        _leave(f"OpenVINO failed with {Path(wanted['model']).name} on {wanted['device']}: {words(error)}")


def _listen(jobs: SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin.buffer:
        jobs.put(json.loads(line))
    os._exit(0)  # the gateway has gone, or wants us to go: nothing is left to be saved


def _leave(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
