"""The catalogue file is checked as it is read, and an error names its place in the YAML."""

from pathlib import Path
from textwrap import dedent, indent

import pytest

from app.catalogue.catalogue import load_catalogue
from app.domain.errors import ConfigurationError

SHIPPED = Path(__file__).parents[3] / "config" / "models.yaml"
SHA = "0" * 64
MODEL = f"""\
name: tiny
capability: chat
licence: MIT
files:
  - name: a.bin
    sha256: "{SHA}"
    bytes: 3
"""
SOURCE = """\
sources:
  - kind: path
    path: ~/models
"""


def write(directory: Path, *entries: str) -> Path:
    path = directory / "models.yaml"
    items = ("- " + indent(dedent(entry), "  ").lstrip() for entry in entries)
    path.write_text("models:\n" + indent("".join(items), "  "))
    return path


def refusal(directory: Path, *entries: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_catalogue(write(directory, *entries))
    return caught.value


def test_the_shipped_catalogue_loads() -> None:
    catalogue = load_catalogue(SHIPPED)
    assert catalogue.find("smollm2-135m").capability == "chat"
    assert [file.name for file in catalogue.find("wordllama-256").files] == ["model.safetensors", "tokenizer.json"]
    assert all(model.licence and model.sources for model in catalogue.models.values())


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no model smollm-135m; did you mean smollm2-135m"):
        load_catalogue(SHIPPED).find("smollm-135m")


def test_a_model_like_no_other_is_answered_with_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model zebra; it has tiny"):
        load_catalogue(write(tmp_path, MODEL + SOURCE)).find("zebra")


@pytest.mark.parametrize(
    ("entry", "path", "reason"),
    [
        (MODEL, "models[0].sources", "Field required"),
        (MODEL + SOURCE + "size: 3\n", "models[0].size", "this key is unknown"),
        (MODEL.replace("chat", "sing") + SOURCE, "models[0].capability", "'speak'"),
        (MODEL.replace(SHA, "abc") + SOURCE, "models[0].files[0].sha256", "match pattern"),
        (MODEL.replace("a.bin", "../a.bin") + SOURCE, "models[0].files[0].name", "match pattern"),
        (MODEL.replace("tiny", "a/b") + SOURCE, "models[0].name", "match pattern"),
        (MODEL + SOURCE.replace("kind: path", "kind: pat"), "models[0].sources[0].kind", "did you mean path?"),
        (MODEL + "sources:\n  - path: x\n", "models[0].sources[0].kind", "say which kind"),
        (MODEL + SOURCE + "    where: x\n", "models[0].sources[0].where", "this key is unknown"),
        (MODEL + SOURCE + "    files: {b.bin: b}\n", "models[0].sources[0]", "does not say where a.bin is"),
        (MODEL + "sources:\n  - kind: pathlib:Path\n", "models[0].sources[0].kind", "is not a dataclass"),
    ],
)
def test_an_error_names_its_place(tmp_path: Path, entry: str, path: str, reason: str) -> None:
    error = refusal(tmp_path, entry)
    assert error.path == path
    assert reason in str(error)


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, MODEL + SOURCE, MODEL + SOURCE).path == "models[1].name"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = MODEL + f'  - {{name: a.bin, sha256: "{SHA}", bytes: 3}}\n' + SOURCE
    assert refusal(tmp_path, twice).path == "models[0].files"


PACKAGES = """\
sources:
  - kind: python_package
    distributions:
      - {package: one, version: "1.0", file: one-1.0-py3-none-any.whl}
      - {package: two, version: "1.0", file: two-1.0.tar.gz}
    members:
      a.bin:
        - {package: one, member: one/a.part1}
        - {package: two, member: two/a.part2}
"""


def test_a_file_may_come_in_parts_from_several_packages(tmp_path: Path) -> None:
    model = load_catalogue(write(tmp_path, MODEL + PACKAGES)).find("tiny")
    assert model.sources[0].describe() == "the Python packages one 1.0, two 1.0"


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("package: two, member", "package: six, member", "", "six is not among the distributions"),
        ("package: two, member", "member", "", "say of which package two/a.part2 is a member"),
        ("member: one/a.part1", "path: x", ".members.a.bin[0].member", "required"),
        ("two-1.0.tar.gz", "../two-1.0.tar.gz", ".distributions[1].file", "pattern"),
    ],
)
def test_a_package_source_is_checked_to_its_last_part(
    tmp_path: Path, old: str, new: str, path: str, reason: str
) -> None:
    error = refusal(tmp_path, MODEL + PACKAGES.replace(old, new))
    assert error.path == f"models[0].sources[0]{path}"
    assert reason in str(error)


def test_a_file_that_is_not_there_or_no_yaml_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_catalogue(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("models: [")
    with pytest.raises(ConfigurationError, match="is not YAML"):
        load_catalogue(tmp_path / "bad.yaml")
