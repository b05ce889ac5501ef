"""`isotherm check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.__main__ import main

GOOD = """
server: {port: 0}
backends:
  - {id: one, kind: openai, url: "http://127.0.0.1:1/v1"}
  - {id: two, kind: ollama, url: "http://127.0.0.1:2"}
"""


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "isotherm.yaml"


def test_a_good_file_is_called_good_and_its_backends_are_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(GOOD)

    assert run("check", str(file)) == 0
    assert capsys.readouterr().out == f"{file} is good: 2 backends (one, two), no zones, mode balanced\n"


def test_the_default_configuration_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check") == 0
    assert "is good: 3 backends (eco, max, embed)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("servr: {}", "servr: there is no such key; did you mean `server`?"),
        ("server: {prot: 1}", "server.prot: there is no such key; did you mean `port`?"),
        ("server: {port: high}", "server.port: input should be a valid integer"),
        ("server: {port: 70000}", "server.port: input should be less than or equal to 65535"),
        ("server: {api_keys: [{name: ann, key: short}]}", "server.api_keys[0].key: "),
        ("server: {api_keys: [{name: a, key: 12345678}, {nme: b}]}", "server.api_keys[0].key: "),
        ("server: {host: 192.168.0.1}", "server: binding to 192.168.0.1 without keys would let anyone in"),
        ("backends: [{id: a}]", "backends[0]: `kind` is missing"),
        ("backends: [{id: a, kind: olama}]", "backends[0].kind: the kind olama is unknown; did you mean ollama?"),
        ("backends: [{id: a, kind: openai}]", "backends[0].url: field required"),
        (
            "backends: [{id: a, kind: ollama, url: 'http://h', timeouts: {conect: 1}}]",
            "backends[0].timeouts.conect: there is no such key; did you mean `connect`?",
        ),
        (
            "backends: [{id: a, kind: ollama, url: 'http://h', teir: 1}]",
            "backends[0].teir: there is no such key; did you mean `tier`?",
        ),
        ("backends: [{id: a, kind: ollama, url: 'http://h', zone: z}]", "backends[0].zone: there is no zone 'z'"),
        (
            "backends: [{id: a, kind: ollama, url: 'http://h'}, {id: a, kind: ollama, url: 'http://h'}]",
            "backends[1].id: another backend is called 'a' already",
        ),
        ("routing: {aliases: {fast: []}}", "routing.aliases.fast: "),
        ("telemetry: {decisions: 0}", "telemetry.decisions: "),
        ("server: {port: '${NOT_SET_ANYWHERE}'}", "server.port: the environment variable NOT_SET_ANYWHERE is not set"),
        ("server: [", "isotherm.yaml is no YAML: "),
        ("a: 1\na: 2", "`a` stands twice (line 2)"),
    ],
)
def test_what_is_wrong_is_said_with_its_path_in_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file.write_text(text)

    assert run("check", str(file)) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"isotherm: {said}")
    assert captured.err.count("\n") == 1


def test_a_secret_is_never_repeated(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SECRET", "hush!")
    file.write_text("server: {api_keys: [{name: ann, key: '${MY_SECRET}'}], port: '${MY_SECRET}'}")

    assert run("check", str(file)) == 1
    captured = capsys.readouterr()
    assert "hush" not in captured.out + captured.err


def test_the_environment_is_checked_too(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(GOOD)
    monkeypatch.setenv("ISOTHERM_SERVER__PORT", "high")

    assert run("check", str(file)) == 1
    assert "server.port: " in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", str(file)) == 1
    assert capsys.readouterr().err == "isotherm: isotherm.yaml can't be read: No such file or directory\n"
