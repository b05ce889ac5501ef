"""`isotherm bench doubt`: how well doubt tells right answers from wrong ones, on questions of known truth."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.commands.doubt_answers import Question, right
from app.commands.doubt_forwarding import compare
from app.commands.doubt_questions import questions
from app.commands.doubt_report import Report, report, rows
from app.commands.gateway_client import GatewayClient
from app.commands.served import BenchFailedError, served
from app.confidence.calibration import read_calibration
from app.confidence.labelled import Labelled, read_labelled
from app.wiring import CALIBRATION
from config.settings import Settings

_CONFIGURATION = Path(__file__).parent.parent.parent / "config" / "isotherm.yaml"
_TOKENS, _TOP = 48, 5
_AT_ONCE = 4


def add_to(benches: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doubt = benches.add_parser("doubt", help="ask questions of known truth, and see what doubt makes of the answers")
    doubt.add_argument("--config", type=Path, default=_CONFIGURATION, metavar="FILE", help="the configuration (YAML)")
    doubt.add_argument("--model", default="auto", metavar="NAME", help="the small model, or an alias")
    doubt.add_argument("--larger", metavar="NAME", help="forward to this model, and say what that costs and saves")
    doubt.add_argument("--min-confidence", type=float, default=0.75, metavar="P", help="for --larger")
    doubt.add_argument("--questions", type=int, metavar="N", help="every so many-th, so that about N are asked")
    doubt.add_argument("--answers", type=Path, metavar="FILE.jsonl", help="keep them there, or take them from there")
    doubt.add_argument("--cascade", type=Path, metavar="FILE.csv", help="marked answers of two models: judge by text")
    doubt.add_argument("--picture", type=Path, metavar="FILE.png", help="draw reliability and cost")
    doubt.add_argument("--json", action="store_true", help="print JSON")
    doubt.set_defaults(command=bench_doubt)


def bench_doubt(options: argparse.Namespace) -> int:
    """Raises ConfigurationError, ModelFetchError, GatewayUnreachableError, BenchFailedError, MissingDataError."""
    told: list[Report] = []
    if options.cascade is not None:
        told.append(_cascade(options.cascade))
    if options.larger is not None:
        with served(options.config, _as_it_is) as url:
            client = GatewayClient(url, None)
            asked = list(_thinned(options.questions))
            lines = compare(client, asked, options.model, options.larger, options.min_confidence)
            client.close()
        sys.stdout.write("\n".join(lines) + "\n")
    elif not told or options.answers is not None:
        told.append(_questions(options))
    for each in told:
        sys.stdout.write((json.dumps(each.describe(), indent=2) if options.json else "\n".join(rows(each))) + "\n")
    return 0


def _questions(options: argparse.Namespace) -> Report:
    if options.answers is None or not options.answers.exists():
        with served(options.config, _as_it_is) as url:
            client = GatewayClient(url, None)
            lines = list(ask(client, list(_thinned(options.questions)), options.model))
            client.close()
        answers = _read(lines, options.answers)
    else:
        answers = list(read_labelled(options.answers))
    return report("short questions, topics held out", answers, _defects(), picture=options.picture)


def ask(client: GatewayClient, asked: Sequence[Question], model: str) -> Iterator[dict[str, Any]]:
    """Labelled answers, as `isotherm calibrate` reads them; in the order of the questions."""

    def one(question: Question) -> dict[str, Any]:
        answer = client.post("/v1/chat/completions", body(question, model, logprobs=True, top_logprobs=_TOP)).json()
        choice = answer["choices"][0]
        text = choice["message"]["content"] or ""
        return {
            "model": answer["model"],
            "workload": "text",
            "topic": question.topic,
            "kind": question.kind,
            "question": question.text,
            "answer": text,
            "finish_reason": choice["finish_reason"],
            "logprobs": [_told(token) for token in (choice["logprobs"] or {}).get("content") or ()] or None,
            "correct": right(question, text),
        }

    with ThreadPoolExecutor(_AT_ONCE) as hands:
        yield from hands.map(one, asked)


def body(question: Question, model: str, **more: Any) -> dict[str, Any]:
    """A request."""
    return {"model": model, "messages": question.messages(), "temperature": 0, "max_tokens": _TOKENS, **more}


def _told(token: dict[str, Any]) -> dict[str, Any]:
    return {
        "token": token["token"],
        "logprob": token["logprob"],
        "top": [each["logprob"] for each in token["top_logprobs"]],
    }


def _thinned(wanted: int | None) -> Iterator[Question]:
    """All, or some that are spread over them."""
    found = list(questions())
    yield from islice(found, 0, None, max(1, len(found) // wanted) if wanted else 1)


def _as_it_is(settings: Settings) -> Settings:
    return settings


def _read(lines: Sequence[dict[str, Any]], kept: Path | None) -> list[Labelled]:
    """What a calibration sees of labelled answers, which are kept if there is a file for them."""
    with TemporaryDirectory() as directory:
        file = kept or Path(directory) / "answers.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return list(read_labelled(file))


def _cascade(file: Path) -> Report:
    """Of a table with the columns question, weak_correct, strong_correct and weak_answer."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            table = list(csv.DictReader(opened))
        lines = [
            {
                "model": "weak",
                "question": row["question"],
                "answer": row["weak_answer"],
                "finish_reason": "stop",
                "correct": row["weak_correct"] == "True",
            }
            for row in table
        ]
        strong = [float(row["strong_correct"] == "True") for row in table]
    except OSError as error:
        raise BenchFailedError(f"{file.name} can't be read: {error.strerror}") from None
    except (KeyError, UnicodeDecodeError, csv.Error) as error:
        raise BenchFailedError(f"{file.name} is no table of marked answers: {error}") from None
    return report(f"{file.stem}, by text alone", _read(lines, None), _defects(), larger=strong)


def _defects() -> Mapping[str, float]:
    return read_calibration(CALIBRATION.read_bytes()).defects
