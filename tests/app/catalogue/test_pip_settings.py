"""Wheels come from where this person's pip takes them from."""

from app.catalogue.pip_settings import DEFAULT_INDEX, PipSettings, list_pip_config, read_pip_settings


def test_without_any_setting_it_is_the_public_index() -> None:
    assert read_pip_settings("", {}) == PipSettings((DEFAULT_INDEX,), (), None)


def test_the_environment_wins_over_the_command_and_that_over_the_rest() -> None:
    listing = "\n".join(
        [
            ":env:.index-url='https://env/simple'",
            "download.index-url='https://download/simple'",
            "global.index-url='https://global/simple'",
            "global.cert='/global.pem'",
            "install.cert='/install.pem'",
        ]
    )
    assert read_pip_settings(listing, {}) == PipSettings(("https://env/simple",), (), "/global.pem")


def test_several_indexes_and_directories_are_kept_in_order() -> None:
    listing = "global.extra-index-url='\\nhttps://one/simple\\nhttps://two/simple'\nglobal.find-links='/a b'"
    settings = read_pip_settings(listing, {})
    assert settings.indexes == (DEFAULT_INDEX, "https://one/simple", "https://two/simple")
    assert settings.find_links == ("/a", "b")


def test_no_index_leaves_the_directories_alone() -> None:
    assert read_pip_settings("global.no-index='true'\nglobal.find-links='/w'", {}) == PipSettings((), ("/w",))


def test_a_line_that_is_not_quoted_is_taken_as_it_is() -> None:
    assert read_pip_settings("global.cert=/x.pem\nnoise", {}).certificates == "/x.pem"


def test_without_pip_its_variables_are_read() -> None:
    environ = {"PIP_INDEX_URL": "https://env/simple", "PIP_FIND_LINKS": "/w", "PIP_CERT": "/c.pem", "HOME": "/"}
    assert read_pip_settings(None, environ) == PipSettings(("https://env/simple",), ("/w",), "/c.pem")


def test_the_pip_of_this_interpreter_tells_what_it_is_set_up_with() -> None:
    listing = list_pip_config({"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "https://env/simple"})
    assert listing is None or read_pip_settings(listing, {}).indexes == ("https://env/simple",)
