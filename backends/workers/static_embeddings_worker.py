"""The program around one table of token vectors: a text's embedding is the normalised mean of its tokens' vectors.

Reads its configuration as one line of JSON: model, a directory with model.safetensors and tokenizer.json. Says
{"width"} when both are loaded. A job {"id", "texts", "width"?} is answered in lines of {"id", "vectors",
"counts"}: float32 vectors, little-endian, in base64, and the known tokens of each text; "end" is in the last line.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

_TEXTS_A_LINE = 256


class Table:
    """Tables as wordllama and model2vec write them; the latter may weigh tokens and let them share a row."""

    def __init__(self, directory: Path) -> None:
        import numpy
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        tensors = load_file(directory / "model.safetensors")
        tables = [tensor for tensor in tensors.values() if tensor.ndim == 2]
        if len(tables) != 1:
            raise ValueError(f"model.safetensors has {len(tables)} tables of vectors, not 1")
        self._numpy = numpy
        self._vectors = tables[0].astype(numpy.float32)
        self._rows = tensors.get("mapping")
        self._weights = tensors.get("weights")
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._unknown = _unknown(directory / "tokenizer.json")
        self.width = self._vectors.shape[1]

    def answer(self, texts: list[str], width: int) -> dict[str, Any]:
        """The vectors, cut to the width, and how many tokens of each text the model knows."""
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        embedded = [self._embed(encoding.ids, width) for encoding in found]
        data = self._numpy.stack([vector for vector, _ in embedded]).astype("<f4").tobytes()
        return {"vectors": base64.b64encode(data).decode(), "counts": [count for _, count in embedded]}

    def _embed(self, ids: list[int], width: int) -> tuple[Any, int]:
        # each token's vector once, times how often: a long text needs no more memory than the vocabulary
        tokens, counts = self._numpy.unique(self._numpy.asarray(ids, dtype=self._numpy.int64), return_counts=True)
        known = tokens != self._unknown
        tokens, shares = tokens[known], counts[known].astype(self._numpy.float32)
        if self._weights is not None:
            shares = shares * self._weights[tokens].astype(self._numpy.float32)
        rows = tokens if self._rows is None else self._rows[tokens]
        total = shares @ self._vectors[rows, :width]
        # the mean and the sum point the same way, and only the direction stays
        return total / max(float(self._numpy.linalg.norm(total)), 1e-12), int(counts[known].sum())


def _unknown(tokenizer: Path) -> int:
    """The id of the token for what the vocabulary lacks, which tells nothing of a text; -1 when there is none."""
    model = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]
    if isinstance(model.get("unk_id"), int):
        return int(model["unk_id"])
    vocabulary = model.get("vocab")
    return int(vocabulary.get(model.get("unk_token"), -1)) if isinstance(vocabulary, dict) else -1


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def say(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    wanted = json.loads(sys.stdin.buffer.readline())
    try:
        table = Table(Path(wanted["model"]))
    except Exception as error:  # noqa: BLE001 (the libraries' own classes: whatever it is, say it in one line)
        sys.exit(f"the embedding table can't be loaded: {type(error).__name__}: {error}")
    say({"width": table.width})
    for line in sys.stdin.buffer:
        _work(table, json.loads(line), say)
    os._exit(0)


def _work(table: Table, job: dict[str, Any], say: Any) -> None:
    if "cancel" in job:
        return  # it was answered before this line could be read
    texts = job["texts"]
    for start in range(0, len(texts), _TEXTS_A_LINE):
        part = table.answer(texts[start : start + _TEXTS_A_LINE], job.get("width") or table.width)
        end = {"end": True} if start + _TEXTS_A_LINE >= len(texts) else {}
        say({"id": job["id"], **part, **end})


if __name__ == "__main__":
    main()
