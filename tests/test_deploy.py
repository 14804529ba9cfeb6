"""What is deployed fits the code: names, variables, ports, permissions, metrics, the lock."""

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import TypeAdapter

from deskwire import topology

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml"))
PACKAGES = {service: service.replace("-", "_") for service in SERVICES}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
JOBS = {"topology", *(f"migrate-{service}" for service in SERVICES)}
READS = {  # who consumes what
    "gateway": {topology.GATEWAY},
    "mail-ingest-svc": {topology.MAIL_INGEST_SVC, topology.MAIL_INGEST_REQUESTS},
    "notify-svc": {topology.NOTIFY_SVC, topology.NOTIFY_REQUESTS},
    "scheduler-svc": {topology.SCHEDULER_SVC, topology.SCHEDULER_REQUESTS},
    "ticket-svc": {topology.TICKET_SVC, topology.TICKET_REQUESTS},
}


def manifests() -> Iterator[dict[str, Any]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {m["metadata"]["name"]: m for m in manifests() if m["kind"] == kind}


def fields(service: str) -> set[str]:
    settings = importlib.import_module(f"{PACKAGES[service]}.settings").Settings
    return {f"DESKWIRE_{name.upper()}" for name in settings.model_fields}


def variables(text: str) -> set[str]:
    return set(re.findall(r"DESKWIRE_[A-Z][A-Z_]*", text))


def explained() -> dict[str, tuple[str, str]]:
    """Each variable of the example with its value and what is said above it."""
    text = (ROOT / ".env.example").read_text()
    return {
        name: (value, about)
        for about, shown in re.findall(r"^((?:# .*\n)+)((?:#\w+=.*\n)+)", text, re.MULTILINE)
        for name, value in re.findall(r"#(\w+)=(.*)", shown)
    }


def pod(workload: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = workload["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return spec, container


# Settings


@pytest.mark.parametrize(
    "path",
    [".env.example", "docker-compose.yml"]
    + [str(path.relative_to(ROOT)) for path in sorted(KUBERNETES.iterdir())],
)
def test_variables_are_settings_of_a_service(path: str) -> None:
    known = {"DESKWIRE_X", "DESKWIRE_X_FILE"}.union(*(fields(service) for service in SERVICES))
    given = {name.removesuffix("_FILE") for name in variables((ROOT / path).read_text())}
    assert given <= known


def test_the_example_names_every_setting() -> None:
    explained = variables((ROOT / ".env.example").read_text())
    assert set().union(*(fields(service) for service in SERVICES)) <= explained


@pytest.mark.parametrize("service", SERVICES)
def test_the_example_shows_the_defaults_or_says_that_it_does_not(service: str) -> None:
    settings = importlib.import_module(f"{PACKAGES[service]}.settings").Settings
    for name, (value, about) in explained().items():
        field = settings.model_fields.get(name.removeprefix("DESKWIRE_").lower())
        if field is None or re.search(r"[Nn]eeded|default:", about):
            continue
        default = field.get_default(call_default_factory=True)
        if value or default not in ("", None):
            adapter = TypeAdapter(field.annotation)
            parsed = adapter.validate_json(value) if value[:1] in ("[", "{") else value
            assert adapter.validate_python(parsed) == default, name


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_only_what_it_knows(service: str) -> None:
    given = set(COMPOSE["services"][service]["environment"])
    _, container = pod(of_kind("Deployment")[service])
    given |= {entry["name"] for entry in container["env"]}
    assert {name.removesuffix("_FILE") for name in given} <= fields(service)


# docker compose


def test_what_several_services_can_be_told_is_told_to_all_of_them_alike() -> None:
    """But for where their own databases and users are."""
    own = {"DESKWIRE_DATABASE_URL_FILE", "DESKWIRE_BROKER_URL_FILE"}
    told = {service: COMPOSE["services"][service]["environment"] for service in SERVICES}
    for service, values in told.items():
        for name in values.keys() - own:
            for other in SERVICES:
                if name.removesuffix("_FILE") in fields(other):
                    assert told[other].get(name) == values[name], (name, service, other)


@pytest.mark.parametrize("service", SERVICES)
def test_the_example_says_what_compose_sets_itself(service: str) -> None:
    """There a value in .env counts for nothing, or is another default."""
    for name, value in COMPOSE["services"][service]["environment"].items():
        shown, about = explained()[name.removesuffix("_FILE")]
        assert f"${{{name}:-{shown}}}" == value or "docker compose:" in about, name


def test_compose_has_every_service_and_its_jobs() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "rabbitmq", *SERVICES, *JOBS}


def test_compose_is_as_its_specification_says() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *schema, ROOT / "docker-compose.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_docker_client_accepts_the_compose_file(tmp_path: Path) -> None:
    command = [shutil.which("docker") or "docker", "compose"]
    try:
        subprocess.run([*command, "version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no docker compose here: docker-compose.yml is checked by its schema only")
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    result = subprocess.run(
        [*command, "config", "--quiet"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_composed_service_is_confined_and_can_be_scaled(service: str) -> None:
    described = COMPOSE["services"][service]
    assert "container_name" not in described
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert described["restart"] == "unless-stopped"
    assert described["build"]["args"] == {"SERVICE": service}
    assert set(described["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    done = {"condition": "service_completed_successfully"}
    assert described["depends_on"] == {"topology": done, f"migrate-{service}": done}


def test_everything_that_stays_up_has_a_health_check_and_jobs_have_none() -> None:
    for name, described in COMPOSE["services"].items():
        assert ("test" in described["healthcheck"]) == (name not in JOBS), name


def test_only_the_gateway_is_reached_from_outside() -> None:
    published = {name: d["ports"] for name, d in COMPOSE["services"].items() if "ports" in d}
    assert published == {"gateway": ["${GATEWAY_PORTS:-8080}:8080"]}
    environment = COMPOSE["services"]["gateway"]["environment"]
    assert environment["DESKWIRE_PORT"] == 8080
    assert environment["DESKWIRE_HEALTH_PORT"] != environment["DESKWIRE_PORT"]


def test_images_are_pinned_and_no_registry_is_named() -> None:
    images = {described["image"] for described in COMPOSE["services"].values()}
    images |= {
        pod(workload)[1]["image"]
        for kind in ("Deployment", "Job")
        for workload in of_kind(kind).values()
    }
    ours = re.compile(rf"deskwire/({'|'.join(SERVICES)}):\d+\.\d+")
    assert all(ours.fullmatch(image) or re.fullmatch(r"[a-z]+:\d+", image) for image in images)
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert set(bases) == {"python:${PYTHON}-slim-bookworm"}
    assert re.findall(r"https?://[^\s'\"/]+", dockerfile) == ["http://127.0.0.1:"]


def test_the_dockerfile_knows_every_member() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert all(f"COPY services/{service}/pyproject.toml" in dockerfile for service in SERVICES)
    assert "--require-hashes" in dockerfile
    assert "USER 10001:10001" in dockerfile
    assert "HEALTHCHECK" in dockerfile


def test_secrets_are_made_once_for_everything_that_compose_reads(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")

    def secrets() -> dict[str, str]:
        subprocess.run(["sh", "deploy/secrets.sh"], cwd=tmp_path, check=True, capture_output=True)
        return {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    contents = secrets()
    assert secrets() == contents
    assert {n: {"file": f"secrets/{n}"} for n in contents} == COMPOSE["secrets"]
    users = json.loads(contents["rabbitmq-definitions.json"])["users"]
    for user in users:
        assert f"//{user['name']}:{user['password']}@" in contents[f"{user['name']}-broker-url"]
        assert len(user["password"]) == 48


@pytest.mark.parametrize("name", ["ticket-svc-signing-key", "link-key"])
def test_a_new_key_goes_above_the_old_ones(tmp_path: Path, name: str) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    keys = tmp_path / "secrets" / name
    for arguments in ([], ["rotate", name], ["rotate", name]):
        before = keys.read_text().split() if keys.exists() else []
        command = ["sh", "deploy/secrets.sh", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        first, *others = keys.read_text().split("\n")
        assert (len(first), others) == (48, before)
    assert keys.stat().st_mode & 0o777 == 0o444
    assert len(list(keys.parent.glob(f"{name}*"))) == 1


def test_secrets_are_declared_where_they_are_read() -> None:
    for name, described in COMPOSE["services"].items():
        files = [v for v in described.get("environment", {}).values() if "/run/secrets" in str(v)]
        given = {Path(file).name for file in files}
        assert given <= set(described.get("secrets", [])) <= set(COMPOSE["secrets"]), name


# RabbitMQ


def test_every_queue_has_its_reader() -> None:
    assert set().union(*READS.values()) == set(topology.QUEUES)


@pytest.mark.parametrize("service", SERVICES)
def test_rabbitmq_lets_a_service_do_what_it_does_and_no_more(service: str) -> None:
    definitions = json.loads((DEPLOY / "rabbitmq" / "definitions.json").read_text())
    (allowed,) = (p for p in definitions["permissions"] if p["user"] == service)
    readable = {queue for queue in topology.QUEUES if re.search(allowed["read"], queue.name)}
    exchanges = {
        topology.EVENTS_EXCHANGE: True,
        topology.REQUESTS_EXCHANGE: service == "gateway",
        topology.DEAD_EXCHANGE: False,
        "amq.default": any(queue.requests for queue in READS[service]),  # where answers go
    }
    assert readable == READS[service]
    assert {name: bool(re.search(allowed["write"], name)) for name in exchanges} == exchanges
    assert allowed["configure"] == "^$"


# Kubernetes


@pytest.mark.parametrize("service", SERVICES)
def test_a_deployment_is_probed_limited_and_confined(service: str) -> None:
    spec, container = pod(of_kind("Deployment")[service])
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    assert {"name": "health", "containerPort": 8081} in container["ports"]
    assert set(container["resources"]) == {"requests", "limits"}
    assert spec["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("service", SERVICES)
def test_a_kubernetes_service_points_at_its_pods(service: str) -> None:
    deployment, exposed = of_kind("Deployment")[service], of_kind("Service")[service]
    _, container = pod(deployment)
    assert exposed["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert (
        exposed["spec"]["selector"].items()
        <= deployment["spec"]["template"]["metadata"]["labels"].items()
    )
    offered = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in exposed["spec"]["ports"]} == offered


def test_only_labelled_pods_reach_lmtp() -> None:
    (port,) = (
        p for p in of_kind("Service")["mail-ingest-svc"]["spec"]["ports"] if p["name"] == "lmtp"
    )
    (policy,) = of_kind("NetworkPolicy").values()
    selected = of_kind("Service")["mail-ingest-svc"]["spec"]["selector"]
    assert policy["spec"]["podSelector"]["matchLabels"] == selected
    health, lmtp = policy["spec"]["ingress"]
    assert (health, lmtp["ports"]) == ({"ports": [{"port": "health"}]}, [{"port": "lmtp"}])
    assert lmtp["from"][0]["podSelector"]["matchLabels"] == {"deskwire/lmtp": "allowed"}
    assert port["port"] == 2424


def test_kubernetes_jobs_are_those_of_compose() -> None:
    jobs = of_kind("Job")
    assert set(jobs) == JOBS
    for name, job in jobs.items():
        assert pod(job)[1]["command"] == COMPOSE["services"][name]["command"]


def test_kubernetes_reads_only_secrets_that_the_example_has() -> None:
    secrets = {name: set(m["stringData"]) for name, m in of_kind("Secret").items()}
    for workload in (*of_kind("Deployment").values(), *of_kind("Job").values()):
        spec, container = pod(workload)
        (name,) = (v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v)
        read = {Path(e["value"]).name for e in container["env"] if e["name"].endswith("_FILE")}
        assert read <= secrets[name]


def test_the_kustomization_names_every_manifest_but_the_example() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    there = {path.name for path in KUBERNETES.glob("*.yaml")}
    assert {*kustomization["resources"], "kustomization.yaml", "secrets.example.yaml"} == there


# Prometheus and Grafana


def metrics_of_code() -> set[str]:
    folders = [ROOT / "shared" / "deskwire"]
    folders += [ROOT / "services" / service / package for service, package in PACKAGES.items()]
    text = "".join(file.read_text() for folder in folders for file in folder.rglob("*.py"))
    return metrics_of(" ".join(re.findall(r'"deskwire_[a-z_]+"', text)))


def metrics_of(expression: str) -> set[str]:
    names: list[str] = re.findall(r"\bdeskwire_[a-z_]+", expression)
    return {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in names}


def test_operators_are_told_of_every_metric() -> None:
    assert metrics_of((ROOT / "docs" / "operations.md").read_text()) == metrics_of_code()


def test_alerts_are_whole_and_measure_what_the_code_measures() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "action"}
        assert metrics_of(rule["expr"]) <= metrics_of_code(), rule["alert"]


def test_the_dashboard_is_whole_and_shows_what_the_code_measures() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "deskwire.json").read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    for panel in panels:
        for target in panel["targets"]:
            assert metrics_of(target["expr"]), panel["title"]
            assert metrics_of(target["expr"]) <= metrics_of_code(), panel["title"]


# The lock and the Makefile


def wanted() -> Iterator[Requirement]:
    yield from map(Requirement, chain(*pyproject(ROOT)["dependency-groups"].values()))
    for member in ("shared", *(f"services/{service}" for service in SERVICES)):
        dependencies = pyproject(ROOT / member)["project"]["dependencies"]
        yield from (Requirement(line) for line in dependencies if line != "deskwire")


def pyproject(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def test_the_lock_has_every_dependency_in_a_version_that_fits() -> None:
    text = (ROOT / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE))
    for requirement in wanted():
        version = locked.get(canonicalize_name(requirement.name))
        assert version, f"{requirement} is not in requirements.lock: run make lock"
        assert version in requirement.specifier, (
            f"{requirement} is locked at {version}: run make lock"
        )


def test_the_lock_is_hashed_and_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-z])", text.strip()))


def test_make_alone_explains_itself() -> None:
    told = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for target in ("setup", "up", "test", "check", "bench", "migrate", "docs", "clean"):
        assert re.search(rf"^  make {target} +\S", told, re.MULTILINE), target


def test_every_decision_has_a_number_of_its_own() -> None:
    files = sorted((ROOT / "docs" / "adr").glob("*.md"))
    told = [int(path.read_text().removeprefix("# ").partition(".")[0]) for path in files]
    assert [int(path.name[:4]) for path in files] == told == list(range(1, len(files) + 1))
