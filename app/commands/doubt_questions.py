"""Short questions whose truth is known from maintained data packages: five topics, the same questions every time."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import import_module, resources
from typing import Any

from app.commands.doubt_answers import Question
from app.domain.errors import IsothermError

#: What the system says. Without it a small model tells the story of a word before it tells the word.
BRIEFLY = "Answer in as few words as you can."

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
_PEOPLE_WHO_PAY = 8_000_000

_WITH_ARTICLE = ("United", "Republic", "Democratic", "Central", "Dominican", "Czech", "Philippines")

#: Heavier elements are hardly met outside of a laboratory.
_HEAVIEST = 60

#: A word that is misspelt in at least so many ways is a common one.
_MISSPELLINGS = 12


class MissingDataError(IsothermError):
    """A data package that the questions come from is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"the questions need the package '{package}': install isotherm with its 'bench' extra")


@dataclass(frozen=True, slots=True)
class _Country:
    name: str
    code: str
    capital: str
    demonym: str
    people: int


def questions(seed: int = 4) -> Iterator[Question]:
    """All of them, topic by topic. Raises MissingDataError."""
    for topic, ask in _TOPICS.items():
        yield from ask(topic, random.Random(f"{seed} {topic}"))  # noqa: S311 - no secret


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
    said = {code: {name for who in holders for name in _said(names[code], who, code)} for code, holders in held.items()}
    for code, holders in held.items():
        noun = names[code].split()[-1]
        bare = {noun} if shared[noun] == 1 else {f"the {noun}", f"is {noun}"}
        others = {name for other in held if other != code for name in said[other]}
        for who in (holder for holder in holders if holder.people >= _PEOPLE_WHO_PAY):
            truths = {*_said(names[code], who, code), *bare}
            rivals = {*others, *shared} - truths - {noun}
            place = _the(who.name)
            for kind, text in (
                ("currency", f"What is the currency of {place}?"),
                ("name", f"What is the name of the currency used in {place}?"),
            ):
                yield Question(topic, kind, text, tuple(sorted(truths)), tuple(sorted(rivals)), who.name)


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
    small = [(one, other) for one in range(2, 11) for other in range(2, 10)]
    larger = [(one, other) for one in range(21, 100) for other in range(11, 20)]
    for one, other in (*chance.sample(small, 60), *chance.sample(larger, 10)):
        yield _sum(topic, "sum", f"Calculate {one} + {other}.", one + other)
    falling = [pair for pair in small if pair[0] > pair[1]]
    for one, other in (*chance.sample(falling, 30), *chance.sample(larger, 10)):
        yield _sum(topic, "difference", f"Calculate {one} - {other}.", one - other)
    tables = [(one, other) for one in range(2, 21) for other in (2, 3, 4, 5, 10)]
    for one, other in (*chance.sample(tables, 80), *chance.sample(larger, 10)):
        yield _sum(topic, "product", f"What is {one} times {other}?", one * other)


def _sum(topic: str, kind: str, text: str, result: int) -> Question:
    return Question(topic, kind, text, (str(result),), form="number")


def _spelling(topic: str, chance: random.Random) -> Iterator[Question]:
    _package("codespell_lib")
    lines = resources.files("codespell_lib").joinpath("data/dictionary.txt").read_text("utf-8").split()
    pairs = [line.split("->") for line in lines if line.count("->") == 1]
    plain = [(wrong, word) for wrong, word in pairs if "," not in word and word.isalpha() and 5 <= len(word) <= 11]
    ways = Counter(word for _, word in plain)
    by_word: dict[str, list[str]] = defaultdict(list)
    for wrong, word in plain:
        if ways[word] >= _MISSPELLINGS and wrong.isalpha() and wrong[0] == word[0]:
            by_word[word].append(wrong)
    words = chance.sample(sorted(by_word), 200)
    for at, word in enumerate(words):
        wrong = chance.choice(by_word[word])
        first, second = chance.sample((wrong, word), 2)
        kind, text = "either", f"Is '{first}' or '{second}' the right spelling?"
        if at >= 150:
            kind, text = "correction", f"Correct the spelling: {wrong}."
        yield Question(topic, kind, text, (word,), (wrong,), form="spelling")


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
