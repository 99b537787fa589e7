""".env.example and the settings say the same."""

import re

from env_example import EXAMPLE, HEADER, rendered

from vision.settings import Settings


def test_every_setting_is_listed_with_its_meaning_and_default() -> None:
    # When this fails: python -m tests.ops.env_example
    assert EXAMPLE.read_text() == rendered()


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_copying_the_example_changes_nothing_but_asks_for_passwords() -> None:
    assigned = re.findall(r"^(\w+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)

    assert assigned == [("POSTGRES_PASSWORD", ""), ("REDIS_PASSWORD", "")]


def test_compose_variables_are_explained() -> None:
    compose = (EXAMPLE.parent / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{(\w+)", compose))
    explained = set(re.findall(r"(\w+)=", HEADER)) | {
        f"VISION_{name.upper()}" for name in Settings.model_fields
    }

    assert used <= explained
