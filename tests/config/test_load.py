"""From a file to settings, or to one sentence that says what is wrong where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.domain.errors import ConfigurationError
from app.wiring import read_backends
from config.load import load_settings, read_yaml
from config.settings import Settings

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "isotherm.yaml"


def load(file: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> Settings:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_settings(file, environ or {})


def wrong(file: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> str:
    """What is said of a file that can't be used."""
    with pytest.raises(ConfigurationError) as caught:
        load(file, text, environ)
    return caught.value.message


@pytest.mark.parametrize(
    "name", [path.name for path in CONFIG.glob("*.yaml") if path.name in ("isotherm.yaml", "example.yaml")]
)
def test_the_files_that_come_with_it_can_be_used(name: str) -> None:
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", (CONFIG / name).read_text()), "some-secret-value")

    assert read_backends(load_settings(CONFIG / name, environ))


def test_a_file_is_read(file: Path) -> None:
    assert load(file, "server: {port: 9000}\nzones: [{id: gpu0}]").server.port == 9000


def test_the_environment_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOTHERM_SERVER__PORT", "9001")

    assert load(file, "server: {port: 9000}").server.port == 9001


def test_a_variable_is_filled_in_wherever_it_stands(file: Path) -> None:
    text = """
    server:
      api_keys: [{name: ada, key: "${ADA_KEY}"}]
    backends:
      - {id: "box-${N}", kind: openai, url: "http://${HOST}:${N}/v1"}
    """

    told = load(file, text, {"ADA_KEY": "sk-ada-secret", "HOST": "gpu", "N": "7"})

    assert told.server.api_keys[0].key.get_secret_value() == "sk-ada-secret"
    assert told.backends[0] == {"id": "box-7", "kind": "openai", "url": "http://gpu:7/v1"}


def test_what_a_variable_holds_is_taken_as_it_is(file: Path) -> None:
    told = load(file, "backends: [{id: '${A}', kind: '$A ${ A} $$'}]", {"A": "${B}: [x]\n"})

    assert told.backends[0] == {"id": "${B}: [x]\n", "kind": "$A ${ A} $$"}


def test_a_variable_that_is_not_set_is_told_with_its_place(file: Path) -> None:
    assert (
        wrong(file, "backends: [{id: a}, {id: b, api_key: '${NO_SUCH}'}]")
        == "backends[1].api_key: the environment variable NO_SUCH is not set"
    )


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml can't be read: No such file"):
        load_settings(tmp_path / "none.yaml", {})
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: 1",
        "server:\n\tport: 1",
        b"\xff\xfe\xff",
        b"server: \xe9",
        "a: !!python/object/apply:os.system [ls]",
        "[a]: b\n? [c]\n: d",
        "port: 2024-99-99",
        "port: 0b_",
        "a: *nobody",
        "\x00",
    ],
    ids=str,
)
def test_what_is_no_yaml_is_told(file: Path, text: str | bytes) -> None:
    assert "is no YAML" in wrong(file, text)


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "just words", "42", "null"])
def test_a_file_without_keys_is_told(file: Path, text: str) -> None:
    assert "holds no keys; see config/example.yaml" in wrong(file, text)


def test_a_key_that_stands_twice_is_refused_though_yaml_readers_let_the_last_one_win(file: Path) -> None:
    assert wrong(file, "server: {port: 1}\nserver: {port: 2}") == "`server` stands twice (line 2)"
    assert wrong(file, "server:\n  port: 1\n  port: 2") == "`port` stands twice (line 3)"
    assert wrong(file, "backends:\n  - {id: a, kind: x, id: b}") == "`id` stands twice (line 2)"


def test_a_key_that_a_merge_brings_may_be_overridden(file: Path) -> None:
    text = """
    zones:
      - &zone {id: a}
      - <<: *zone
        id: b
    """

    assert [zone.id for zone in load(file, text).zones] == ["a", "b"]


@pytest.mark.parametrize("text", ["1: {port: 2}", "server: {1: 2}", "true: 1", "null: 1"])
def test_keys_are_words(file: Path, text: str) -> None:
    wrong(file, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server: {prot: 1}", "server.prot: there is no such key; did you mean `port`?"),
        ("sever: {}", "sever: there is no such key; did you mean `server`?"),
        ("zones: [{id: a}, {id: b, sensr: 1}]", "zones[1].sensr: there is no such key; did you mean `sensor`?"),
        ("zones: [{id: a, sensor: 5}]", "zones[0].sensor: "),
        ("zones: [{id: a, trips: {warning: 90}}]", "zones[0].trips: warning, critical and shutdown must rise in this"),
        ("zones: [{id: a, fans: {quiet: 90}}]", "zones[0].fans: quiet, moderate and loud must rise in this order"),
        (
            "routing: {modes: {quiet: {max_wats: 1}}}",
            "routing.modes.quiet.max_wats: there is no such key; did you mean",
        ),
        ("routing: {modes: {quiet: {max_celsius: null}}}", "routing.modes.quiet.max_celsius: null is no limit; leave"),
        ("routing: {modes: {quiet: {max_fan_percent: null}}}", "routing.modes.quiet.max_fan_percent: null is no limit"),
        ("routing: {modes: {quiet: {order: null}}}", "routing.modes.quiet.order: null is no limit"),
        ("routing: {workloads: {code: [gpu]}}", "routing.workloads.code[0]: input should be 'npu', 'igpu'"),
        ("routing: {auto: {quiet_hours: '25:00-06:00'}}", "routing.auto.quiet_hours: "),
        (
            "server: {api_keys: [{name: a, key: long enough, modles: []}]}",
            "server.api_keys[0].modles: there is no such key; did you mean `models`?",
        ),
        ("server: {port: 70000}", "server.port: input should be less than or equal to 65535"),
        ("routing: {aliases: {auto: []}}", "routing.aliases.auto: "),
    ],
)
def test_what_is_wrong_is_said_with_its_path(file: Path, text: str, said: str) -> None:
    assert wrong(file, text).startswith(said)


@pytest.mark.parametrize(
    "key", ["_env_prefix", "_cli_parse_args", "_secrets_dir", "_env_file", "__init__", "model_config", "self"]
)
def test_no_key_steers_the_reading_itself(file: Path, key: str) -> None:
    assert "there is no such key" in wrong(file, f"{key}: 'true'")


def test_an_environment_variable_that_can_not_be_read_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOTHERM_ZONES", "[{")

    assert "environment variable" in wrong(file, "server: {}")


@pytest.mark.parametrize(
    "text",
    [
        "server: {api_keys: [{name: a b, key: sk-very-secret}]}",
        "server: {api_keys: [{name: a, key: [sk-very-secret]}]}",
        "server: {api_keys: {name: a, key: sk-very-secret}}",
        "server: {api_keys: sk-very-secret}",
        "server: {api_keys: [sk-very-secret]}",
        "server: {api_keys: [{name: a, key: sk-very-secret, sk: 1}]}",
    ],
)
def test_a_secret_is_never_part_of_what_is_said(file: Path, text: str) -> None:
    assert "sk-very-secret" not in wrong(file, text)


def test_plain_data_is_what_it_was(file: Path) -> None:
    file.write_text("a: [1, 2.5, true, null, text]\nb: {c: {}}")

    assert read_yaml(file) == {"a": [1, 2.5, True, None, "text"], "b": {"c": {}}}
