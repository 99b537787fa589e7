"""What the service says of itself: models, pipelines, health, metrics, its own document."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pictures import picture
from serving import Served, eventually, serving, settings_in

from vision.models.catalogue import Catalogue
from vision.pipelines.named import NAMED


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("facts")
    with serving(settings_in(folder)) as served:
        yield served


def test_every_model_has_a_card(quiet: Served) -> None:
    models = quiet.client.get("/v1/models").json()["items"]

    assert [model["name"] for model in models] == [spec.name for spec in Catalogue.load().specs]
    for model in models:
        assert quiet.client.get(f"/v1/models/{model['name']}").json() == model
        assert model["license"]
        assert model["intended_use"]
        assert model["limits"]


def test_a_model_says_whether_its_weights_are_here_and_what_fetches_them(quiet: Served) -> None:
    shipped = quiet.client.get("/v1/models/demo_maskrcnn").json()["weights"]
    absent = quiet.client.get("/v1/models/sam_vit_b").json()["weights"]

    assert (shipped["present"], shipped["shipped"], shipped["command"]) == (True, True, None)
    assert len(shipped["sha256"]) == 64
    assert (absent["present"], absent["command"]) == (False, "vision models pull sam_vit_b")


def test_a_misspelt_model_is_answered_with_similar_names(quiet: Served) -> None:
    answer = quiet.client.get("/v1/models/demo_maskrnn")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
    assert "demo_maskrcnn" in answer.json()["detail"]


def test_every_named_pipeline_can_be_submitted_as_a_document(quiet: Served) -> None:
    asset_id = quiet.client.post("/v1/assets", content=picture()).json()["id"]
    pipelines = quiet.client.get("/v1/pipelines").json()["items"]

    assert [pipeline["name"] for pipeline in pipelines] == list(NAMED)
    for pipeline in pipelines:
        body = {"asset_ids": [asset_id], "pipeline": pipeline["pipeline"]}
        job = quiet.client.post("/v1/jobs", json=body).json()
        assert job["pipeline"] == pipeline["pipeline"]


def test_a_ready_service_says_what_it_checked(quiet: Served) -> None:
    answer = quiet.client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "database": "ok",
        "migrations": "ok",
        "blobs": "ok",
    }


def test_metrics_count_requests_by_route_and_show_the_queue(served: Served) -> None:
    form = {"files": ("a.jpg", picture())}
    job = served.client.post("/v1/jobs", files=form, data={"pipeline": "demo"}).json()
    served.client.get(f"/v1/jobs/{job['id']}")
    served.client.get("/nothing")

    # An answer is counted when it has been sent, so just after the client has it.
    eventually(lambda: 'route="none",status="404"' in served.client.get("/metrics").text)
    text = served.client.get("/metrics").text

    route = 'method="GET",route="/v1/jobs/{job_id}",status="200"'
    assert f"vision_http_requests_total{{{route}}} 1.0" in text
    assert job["id"] not in text
    assert 'vision_units{state="ready"} 1.0' in text
    assert 'vision_units{state="leased"} 0.0' in text
    assert f"vision_upload_bytes_total {float(len(picture()))}" in text
    assert "vision_database_up 1.0" in text


def test_the_document_describes_every_operation(quiet: Served) -> None:
    document = quiet.client.get("/openapi.json").json()

    names = [operation["operationId"] for operation in operations(document)]
    assert len(set(names)) == len(names)
    for operation in operations(document):
        assert operation["description"], operation["operationId"]
        problem = operation["responses"]["default"]["content"]
        assert list(problem) == ["application/problem+json"]
        assert any(code.startswith("2") for code in operation["responses"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_reference_in_the_document_leads_somewhere(quiet: Served) -> None:
    document = quiet.client.get("/openapi.json").json()

    for reference in references(document):
        *_, section, name = reference.split("/")
        assert name in document["components"][section], reference


def operations(document: Any) -> list[Any]:
    return [one for methods in document["paths"].values() for one in methods.values()]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_no_torch_is_in_the_api_process() -> None:
    program = (
        "import sys, api.app; "
        "print([name for name in ('torch', 'torchvision', 'cv2') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stderr
