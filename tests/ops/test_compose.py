"""docker-compose.yml and Dockerfile, as far as they can be checked without Docker."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from vision.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
OURS = ("api", "worker", "worker-cpu", "tick", "migrate")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """With anchors and merge keys resolved, variables not."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def test_compose_file_fits_the_specification(compose: dict[str, Any]) -> None:
    # The specification's own schema, which check-jsonschema carries.
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = Draft202012Validator(json.loads(schema.read_text()))

    assert [error.message for error in validator.iter_errors(compose)] == []


def test_the_schema_would_notice_a_mistake(compose: dict[str, Any]) -> None:
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    broken = compose | {"services": {"api": {"image": "x", "heathcheck": {}}}}

    errors = list(Draft202012Validator(json.loads(schema.read_text())).iter_errors(broken))

    assert errors


def test_all_parts_are_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {*OURS, "redis", "postgres"}


def test_everything_referred_to_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        assert set(service["networks"]) <= set(compose["networks"])
        named = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert named <= set(compose["volumes"])


def test_whoever_is_waited_for_to_be_healthy_has_a_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    awaited = {
        name
        for service in services.values()
        for name, wish in service.get("depends_on", {}).items()
        if wish["condition"] == "service_healthy"
    }

    assert awaited == {"redis", "postgres"}
    assert all("test" in services[name]["healthcheck"] for name in awaited)


def test_no_password_has_a_default() -> None:
    text = COMPOSE.read_text()
    uses = re.findall(r"\$\{(\w*PASSWORD\w*)(.*?)\}", text)

    assert {name for name, _ in uses} == {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert all(rest.startswith(":?") for _, rest in uses)


def test_only_the_api_is_published_and_on_loopback(compose: dict[str, Any]) -> None:
    ports = {name: service.get("ports") for name, service in compose["services"].items()}

    assert {name for name, published in ports.items() if published} == {"api"}
    assert ports["api"] == ["${API_PUBLISH:-127.0.0.1:8000}:8000"]
    assert all(
        compose["services"][name]["networks"] == ["inside"] for name in ("redis", "postgres")
    )
    assert compose["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_do_little(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]

    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "60s"


def test_draining_fits_into_the_grace_period() -> None:
    assert Settings.model_fields["drain_seconds"].default < 60


@pytest.mark.parametrize(
    ("name", "replicas"),
    [("worker", "${GPU_WORKERS:-1}"), ("worker-cpu", "${CPU_WORKERS:-0}")],
)
def test_workers_are_chosen_by_a_number(compose: dict[str, Any], name: str, replicas: str) -> None:
    deploy = compose["services"][name]["deploy"]

    assert deploy["replicas"] == replicas
    assert ("resources" in deploy) is (name == "worker")


def test_every_setting_in_the_files_exists(dockerfile: str) -> None:
    used = set(re.findall(r"\bVISION_(\w+)", COMPOSE.read_text() + dockerfile))

    assert used
    assert {name.lower() for name in used} <= set(Settings.model_fields)


def test_images_are_built_from_targets_that_exist(compose: dict[str, Any], dockerfile: str) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.MULTILINE))
    built = {s["build"]["target"] for s in compose["services"].values() if "build" in s}

    assert built == {"api", "worker"}
    assert built <= targets


def test_the_dockerfile_copies_what_is_there_and_let_in(dockerfile: str) -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    sources = {source for copy in copies for source in copy.split()}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if "!" in line}

    assert all((ROOT / source).exists() for source in sources)
    assert sources == let_in


@pytest.mark.parametrize("target", ["api", "worker"])
def test_images_run_as_nobody_special_and_can_be_checked(dockerfile: str, target: str) -> None:
    stage = dockerfile[dockerfile.index(f" AS {target}\n") :].partition("\nFROM ")[0]
    before = dockerfile[: dockerfile.index(f" AS {target}\n")]
    users = re.findall(r"^USER (\S+)$", before + stage, re.MULTILINE)

    assert users[-1] == "10001:10001"
    assert "HEALTHCHECK" in stage
    assert "--constraints requirements.lock" in dockerfile
