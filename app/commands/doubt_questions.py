"""Short questions whose truth is known from maintained data packages: five topics, the same questions every time."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import Any

from app.commands.doubt_answers import EXAMPLES, TENS, UNITS, Question
from app.domain.errors import IsothermError

#: Currencies are those of this day, which the data tell well, and so the same questions come tomorrow.
_DAY = date(2025, 7, 1)

#: Countries with more than one seat, a disputed one, or one that has moved or been renamed since the data were made.
_UNSETTLED = frozenset(
    (
        "BI",
        "BO",
        "CL",
        "EH",
        "GQ",
        "HK",
        "IL",
        "KI",
        "KZ",
        "LK",
        "MO",
        "MY",
        "NL",
        "PS",
        "PW",
        "SZ",
        "TK",
        "TZ",
        "VA",
        "ZA",
    )
)

#: Parts of others, and what is no more.
_NO_COUNTRIES = frozenset(("Puerto Rico", "Scotland", "Serbia and Montenegro", "Taiwan"))

#: Fewer people than this, and a small model has hardly heard of the country.
_PEOPLE = 1_500_000

#: Its currency is known to fewer.
_PEOPLE_WHO_PAY = 5_000_000

_WITH_ARTICLE = ("United", "Republic", "Democratic", "Central", "Dominican", "Czech", "Philippines")

#: Heavier elements are hardly met outside of a laboratory.
_HEAVIEST = 83


class MissingDataError(IsothermError):
    """A data package that the questions come from is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"the questions need the package '{package}': pip install 'isotherm[calibrate]'")


@dataclass(frozen=True, slots=True)
class _Country:
    name: str
    code: str
    capital: str
    demonym: str
    people: int


def questions(seed: int = 4) -> Iterator[Question]:
    """All of them, topic by topic. Raises MissingDataError."""
    examples = {question for question, _ in EXAMPLES}
    for topic, ask in _TOPICS.items():
        asked = ask(topic, random.Random(f"{seed} {topic}"))  # noqa: S311 - no secret
        yield from (question for question in asked if question.text not in examples)


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDataError(name.partition(".")[0]) from error


def _countries() -> list[_Country]:
    found: dict[str, _Country] = {}
    for country in _package("countryinfo").all_countries():
        told = country.info()
        code, capital, people = told["ISO"]["alpha2"], told.get("capital"), told.get("population") or 0
        if (
            code in _UNSETTLED
            or capital == told["name"]
            or told["name"] in _NO_COUNTRIES
            or people < _PEOPLE
            or not isinstance(capital, str)
        ):
            continue
        found.setdefault(code, _Country(told["name"], code, capital, told.get("demonym") or "", people))
    return sorted(found.values(), key=lambda country: country.name)


def _the(country: str) -> str:
    """As it is said in a sentence."""
    return f"the {country}" if country.startswith(_WITH_ARTICLE) else country


def _capitals(topic: str, _: random.Random) -> Iterator[Question]:
    countries = _countries()
    names = {country: (country.capital, *_OTHER_NAMES.get(country.capital, ())) for country in countries}
    capitals = tuple(name for each in names.values() for name in each)
    for country in countries:
        others = tuple(name for name in capitals if name not in names[country])
        text = f"What is the capital of {_the(country.name)}?"
        yield Question(topic, "capital", text, names[country], others, country.name)
    lands = tuple(country.name for country in countries)
    for country in countries:
        text = f"Of which country is {country.capital} the capital?"
        others = tuple(land for land in lands if land != country.name)
        truths = (country.name, *_OTHER_NAMES.get(country.name, ()))
        yield Question(topic, "country", text, truths, others, country.capital)


def _currencies(topic: str, _: random.Random) -> Iterator[Question]:
    numbers = _package("babel.numbers")
    held: dict[str, list[_Country]] = defaultdict(list)
    for country in _countries():
        used = numbers.get_territory_currencies(country.code, _DAY)
        if len(used) == 1:
            held[used[0]].append(country)
    names = {code: numbers.get_currency_name(code, locale="en", count=1) for code in held}
    shared = Counter(name.split()[-1] for name in names.values())
    many = {code: numbers.get_currency_name(code, locale="en", count=2) for code in held}
    said = {
        code: {name for who in holders for each in (names, many) for name in _said(each[code], who, code)}
        for code, holders in held.items()
    }
    for code, holders in held.items():
        noun = names[code].split()[-1]
        bare = {noun} if shared[noun] == 1 else {f"the {noun}", f"is {noun}"}
        others = {name for other in held if other != code for name in said[other]}
        for who in (holder for holder in holders if holder.people >= _PEOPLE_WHO_PAY):
            truths = {*_said(names[code], who, code), *_said(many[code], who, code), *bare}
            rivals = {*others, *shared} - truths - {noun}
            text = f"What is the currency of {_the(who.name)}?"
            yield Question(topic, "currency", text, tuple(sorted(truths)), tuple(sorted(rivals)), who.name)


def _said(name: str, who: _Country, code: str) -> set[str]:
    """What a currency is called: by its name, or as the country's."""
    noun = name.split()[-1]
    return {name, f"{who.demonym} {noun}", f"{who.name} {noun}", *_OTHER_NAMES.get(code, ())}


def _symbols(topic: str, _: random.Random) -> Iterator[Question]:
    elements = [each for each in _package("periodictable").elements if 0 < each.number <= _HEAVIEST]
    names = {each: (each.name, *_OTHER_NAMES.get(each.name, ())) for each in elements}
    every = tuple(name for each in elements for name in names[each])
    for each in elements:
        text = f"What is the chemical symbol for {each.name}?"
        yield Question(topic, "symbol", text, (each.symbol,), form="symbol")
    for each in elements:
        others = tuple(name for name in every if name not in names[each])
        text = f"Which chemical element has the symbol {each.symbol}?"
        yield Question(topic, "element", text, names[each], others)


def _sums(topic: str, chance: random.Random) -> Iterator[Question]:
    """From the easiest to those of three digits."""
    small = [(one, other) for one in range(1, 11) for other in range(1, 11)]
    larger = [(one, other) for one in range(11, 100) for other in range(2, 100)]
    large = [(one, other) for one in range(101, 1000) for other in range(101, 1000)]
    for one, other in (*chance.sample(small, 40), *chance.sample(larger, 15), *chance.sample(large, 5)):
        yield _sum(topic, "sum", f"What is {one} + {other}?", one + other)
    falling = [[pair for pair in pairs if pair[0] > pair[1]] for pairs in (small, larger, large)]
    for one, other in (
        each for pairs, count in zip(falling, (20, 8, 2), strict=True) for each in chance.sample(pairs, count)
    ):
        yield _sum(topic, "difference", f"What is {one} - {other}?", one - other)
    tables = [(one, other) for one in range(2, 21) for other in range(2, 11)]
    for one, other in (*chance.sample(tables, 50), *chance.sample(larger, 10)):
        yield _sum(topic, "product", f"What is {one} times {other}?", one * other)


def _sum(topic: str, kind: str, text: str, result: int) -> Question:
    return Question(topic, kind, text, (str(result),), form="number")


def _spelling(topic: str, chance: random.Random) -> Iterator[Question]:
    """Numbers below a thousand, the smaller ones all."""
    for number in (*range(1, 100), *sorted(chance.sample(range(101, 1000), 50))):
        yield Question(
            topic, "number", f"How is the number {number} spelled?", (_spelt(number),), (), str(number), "words"
        )


def _spelt(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    small = UNITS[rest] if rest < len(UNITS) else "-".join(filter(None, (TENS[tens], UNITS[ones])))
    return " ".join(filter(None, (f"{UNITS[hundreds]} hundred" if hundreds else "", small)))


#: What else is as right.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "Washington D.C.": ("Washington",),
    "Kyiv": ("Kiev",),
    "Ulaanbaatar": ("Ulan Bator",),
    "Ashgabat": ("Ashkhabad",),
    "Bern": ("Berne",),
    "United States": ("United States of America", "USA", "US", "America"),
    "United Kingdom": ("UK", "Great Britain", "Britain", "England"),
    "Republic of Macedonia": ("North Macedonia", "Macedonia"),
    "Czech Republic": ("Czechia",),
    "Ivory Coast": ("Côte d'Ivoire",),
    "The Gambia": ("Gambia",),
    "Turkey": ("Türkiye",),
    "Myanmar": ("Burma",),
    "Democratic Republic of the Congo": ("Democratic Republic of Congo", "DRC", "DR Congo", "Congo-Kinshasa"),
    "Republic of the Congo": ("Congo-Brazzaville", "Congo", "Republic of Congo"),
    "United Arab Emirates": ("UAE", "Emirates"),
    "aluminum": ("aluminium",),
    "sulfur": ("sulphur",),
    "cesium": ("caesium",),
    "USD": ("U.S. dollar", "American dollar", "US dollars", "USD"),
    "EUR": ("euros", "EUR"),
    "GBP": ("pound sterling", "pounds sterling", "sterling"),
    "CNY": ("renminbi", "yuan renminbi"),
    "XAF": ("CFA franc", "Central African franc"),
    "XOF": ("CFA franc", "West African franc"),
    "AED": ("Emirati dirham", "dirham"),
}

_TOPICS: Mapping[str, Callable[[str, random.Random], Iterator[Question]]] = {
    "capitals": _capitals,
    "currencies": _currencies,
    "symbols": _symbols,
    "sums": _sums,
    "spelling": _spelling,
}
