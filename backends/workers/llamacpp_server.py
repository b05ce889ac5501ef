"""The program around one llama.cpp server: it loads a GGUF, listens on loopback, and leaves with the gateway.

Reads its configuration as one line of JSON: model, alias, key, threads, context (tokens a slot), slots,
slot_directory, embeddings. Says {"url": ...} when the model is loaded. Source: xllamacpp's CommonParams.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve until the input ends: that is when the gateway has gone, or wants us to go."""
    os.umask(0o077)  # what is left of somebody's answer is for nobody else
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the library prints is no answer
    sys.path.append(str(Path(__file__).parents[2]))  # last, so that it hides nothing: for the file beside this one
    from backends.workers.orphan import end_with_parent

    end_with_parent()
    server = _serve(json.loads(sys.stdin.readline()))
    print(json.dumps({"url": server.listening_address}), file=answers, flush=True)
    sys.stdin.read()
    os._exit(0)  # at once: nothing is left to be saved


def _serve(wanted: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = wanted["model"]
    params.model_alias = {wanted["alias"]}
    params.api_keys = [wanted["key"]]
    params.cpuparams.n_threads = wanted["threads"]
    params.cpuparams_batch.n_threads = wanted["threads"]
    params.n_parallel = wanted["slots"]
    params.n_ctx = wanted["context"] * wanted["slots"]
    params.n_batch = 512  # a cancelled prompt stops at the end of a batch
    params.slot_save_path = wanted["slot_directory"] + os.sep
    params.endpoint_slots = True
    params.embedding = wanted["embeddings"]
    params.verbosity = 0
    params.ui = False
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
