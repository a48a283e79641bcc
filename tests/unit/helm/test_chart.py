"""The chart: every ci scenario renders into valid objects, what matters in them holds, mistakes are refused early."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import libyang
import pytest
import yaml

from netconf.mapping.modules import MODULES

ROOT = Path(__file__).parents[3]
CHART = ROOT / "helm" / "openwsg"
SCENARIOS = sorted(CHART.glob("ci/*-values.yaml"))
KUBERNETES = "1.32"
CUSTOM = {"ServiceMonitor", "PrometheusRule"}
VERSION_LABELS = {"app.kubernetes.io/version", "helm.sh/chart"}

ADMIN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f admin"

Object = dict[str, Any]


def values_of(scenario: str) -> Object:
    loaded: Object = yaml.safe_load((CHART / "ci" / f"{scenario}-values.yaml").read_text())
    return loaded


def render(values: Object) -> dict[str, list[Object]]:
    """kind -> objects."""
    chart = helm_python.Chart.load(str(CHART))
    try:
        files = chart.render(values, name="north", namespace="wsg")
    finally:
        chart.close()
    objects: dict[str, list[Object]] = {}
    for name, text in files.items():
        if name.endswith((".yaml", ".yml")):
            for found in yaml.safe_load_all(text):
                if found:
                    objects.setdefault(found["kind"], []).append(found)
    return objects


def pod(objects: dict[str, list[Object]]) -> Object:
    spec: Object = objects["StatefulSet"][0]["spec"]["template"]["spec"]
    return spec


def container(objects: dict[str, list[Object]]) -> Object:
    (only,) = pod(objects)["containers"]
    found: Object = only
    return found


@pytest.fixture(params=SCENARIOS, ids=lambda path: path.name.removesuffix("-values.yaml"))
def rendered(request: pytest.FixtureRequest) -> dict[str, list[Object]]:
    values: Object = yaml.safe_load(request.param.read_text())
    return render(values)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_lint_is_clean(path: Path) -> None:
    report = helm_python.lint(str(CHART), yaml.safe_load(path.read_text()), strict=True, kube_version="v1.32.0")
    worse = [message for message in report["messages"] if message["severity"] > 1]
    assert (worse, report.get("errors") or []) == ([], [])


def test_objects_are_valid(rendered: dict[str, list[Object]]) -> None:
    for kind, objects in rendered.items():
        for found in objects:
            if kind not in CUSTOM:
                kubernetes_validate.validate(found, KUBERNETES, strict=True)


def test_names_are_unique_and_labelled(rendered: dict[str, list[Object]]) -> None:
    seen = set()
    for kind, objects in rendered.items():
        for found in objects:
            key = (kind, found["metadata"]["name"])
            assert key not in seen
            seen.add(key)
            assert found["metadata"]["labels"]["app.kubernetes.io/instance"] == "north"


def test_no_version_in_selectors(rendered: dict[str, list[Object]]) -> None:
    """A selector cannot be changed: an upgrade would fail."""
    (workload,) = rendered["StatefulSet"]
    selector = workload["spec"]["selector"]["matchLabels"]
    selectors = [selector] + [service["spec"]["selector"] for service in rendered["Service"]]
    selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in rendered.get("NetworkPolicy", [])]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in rendered.get("PodDisruptionBudget", [])]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    for found in selectors:
        assert not VERSION_LABELS & found.keys()
        assert found.items() <= labels.items()
    assert not VERSION_LABELS & labels.keys(), "a pod label that changes with the version restarts pods for nothing"


def test_privileges(rendered: dict[str, list[Object]]) -> None:
    """NET_ADMIN for the TUN, NET_RAW for ESP, ports below 1024, dropping to another user; nothing else."""
    context = container(rendered)["securityContext"]
    assert context["capabilities"]["drop"] == ["ALL"]
    added = {"NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE", "SETUID", "SETGID", "KILL"}
    assert set(context["capabilities"]["add"]) == added
    assert context["privileged"] is False
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert pod(rendered)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(rendered)["automountServiceAccountToken"] is False


def test_probes_and_services_meet_the_containers_ports(rendered: dict[str, list[Object]]) -> None:
    only = container(rendered)
    ports = {port["name"]: (port["containerPort"], port["protocol"]) for port in only["ports"]}
    assert ports["ike"] == (500, "UDP")
    assert ports["ike-natt"] == (4500, "UDP")
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert only[probe]["httpGet"] == {"path": path, "port": "metrics"}
    for service in rendered["Service"]:
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]][1] == port["protocol"]
    for policy in rendered.get("NetworkPolicy", []):
        assert all(ports[port["port"]] for rule in policy["spec"]["ingress"] for port in rule["ports"])


def test_the_readiness_probe_waits_longer_than_the_answer_may_take(rendered: dict[str, list[Object]]) -> None:
    from telemetry.exporter import VIEWS_TIMEOUT_S

    assert container(rendered)["readinessProbe"]["timeoutSeconds"] > VIEWS_TIMEOUT_S


def test_the_tun_device_comes_one_way_or_the_other(rendered: dict[str, list[Object]]) -> None:
    by_path = [volume for volume in pod(rendered)["volumes"] if volume["name"] == "tun"]
    by_plugin = [name for name in container(rendered)["resources"]["limits"] if "/" in name]
    assert len(by_path) + len(by_plugin) == 1
    for volume in by_path:
        assert volume["hostPath"] == {"path": "/dev/net/tun", "type": "CharDevice"}
        assert {"name": "tun", "mountPath": "/dev/net/tun"} in container(rendered)["volumeMounts"]


def test_every_mount_has_its_volume(rendered: dict[str, list[Object]]) -> None:
    claims = rendered["StatefulSet"][0]["spec"].get("volumeClaimTemplates", [])
    volumes = {volume["name"] for volume in pod(rendered)["volumes"]} | {claim["metadata"]["name"] for claim in claims}
    assert {mount["name"] for mount in container(rendered)["volumeMounts"]} == volumes


def test_every_variable_of_the_arguments_is_in_the_environment(rendered: dict[str, list[Object]]) -> None:
    only = container(rendered)
    given = {entry["name"] for entry in only["env"]}
    used = {argument.split("=")[1] for argument in only["args"] if argument.startswith("--factory-var=")}
    assert used == given
    assert "--factory-var=POD_IP=$(POD_IP)" in only["args"]


def test_the_minimal_configuration_listens_where_the_probes_look() -> None:
    objects = render(values_of("minimal"))
    (first,) = objects["ConfigMap"]
    system = json.loads(first["data"]["first.json"])["openwsg-gateway:gateway"]["openwsg-system:system"]
    assert system["metrics"]["listen"] == [{"name": "default", "address": "0.0.0.0", "port": 9814}]
    assert system["netconf"]["ssh"]["listen"] == [{"name": "default", "address": "0.0.0.0", "port": 830}]
    assert "user" not in system
    with_key = render({"management": {"adminKey": {"existingSecret": "k"}}})
    system = json.loads(with_key["ConfigMap"][0]["data"]["first.json"])["openwsg-gateway:gateway"][
        "openwsg-system:system"
    ]
    assert system["user"] == [{"name": "admin", "authorized-key": ["@ADMIN_AUTHORIZED_KEY@"]}]


def test_a_configuration_with_keys_is_kept_in_a_secret() -> None:
    objects = render(values_of("demo"))
    assert "ConfigMap" not in objects
    (secret,) = objects["Secret"]
    first = json.loads(base64.b64decode(secret["data"]["first.json"]))
    assert first == values_of("demo")["configuration"]["data"]
    (volume,) = [volume for volume in pod(objects)["volumes"] if volume["name"] == "first"]
    assert volume["secret"] == {"secretName": "north-openwsg-first", "defaultMode": 0o400}


def test_xml_text_is_kept_as_it_is() -> None:
    objects = render(values_of("xml"))
    (first,) = objects["ConfigMap"]
    assert first["data"]["first.xml"].strip() == values_of("xml")["configuration"]["text"].strip()
    assert "--factory-default=/etc/openwsg/first/first.xml" in container(objects)["args"]


def test_an_ike_service_keeps_the_peers_addresses() -> None:
    services = {service["metadata"]["name"]: service["spec"] for service in render(values_of("minimal"))["Service"]}
    ike = services["north-openwsg-ike"]
    assert (ike["type"], ike["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert [(port["port"], port["protocol"]) for port in ike["ports"]] == [(500, "UDP"), (4500, "UDP")]


def test_there_is_one_pod_and_it_is_never_doubled() -> None:
    (workload,) = render(values_of("minimal"))["StatefulSet"]
    assert workload["spec"]["replicas"] == 1


def test_a_new_first_configuration_restarts_the_pod_only_without_a_volume() -> None:
    def annotations(values: Object) -> Object:
        found: Object = render(values)["StatefulSet"][0]["spec"]["template"]["metadata"].get("annotations", {})
        return found

    one = annotations({"persistence": {"enabled": False}})
    two = annotations({"persistence": {"enabled": False}, "management": {"metricsPort": 9900}})
    assert one != two
    assert annotations({}) == annotations({"management": {"metricsPort": 9900}}) == {}


def test_the_rules_are_those_of_the_catalogue() -> None:
    rules = (ROOT / "telemetry" / "rules" / "openwsg.rules.yml").read_text()
    assert (CHART / "files" / "openwsg.rules.yml").read_text() == rules
    (found,) = render(values_of("production"))["PrometheusRule"]
    assert found["spec"] == yaml.safe_load(rules)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"configuration": {"text": "{}", "existingSecret": "x"}},
            "give one of data, text, existingConfigMap and existingSecret",
        ),
        ({"configuration": {"text": '{"a": {"pre-shared-key": "clear"}}'}}, "pre-shared key in clear"),
        ({"configuration": {"text": '{"a": {"pre-shared-key": {"key": "clear"}}}'}}, "pre-shared key in clear"),
        (
            {"configuration": {"text": "<t><pre-shared-key><key>clear</key></pre-shared-key></t>"}},
            "pre-shared key in clear",
        ),
        ({"configuration": {"text": "<n><pre-shared-key>clear</pre-shared-key></n>"}}, "pre-shared key in clear"),
        ({"configuration": {"text": '{"a": "@POD_IP@"}'}}, "@POD_IP@ would be kept"),
        ({"configuration": {"text": '{"a": "@ADMIN_AUTHORIZED_KEY@"}'}}, "needs management.adminKey.existingSecret"),
        ({"configuration": {"text": '{"a": "@MISSING@"}'}}, "@MISSING@ has no value"),
        ({"configuration": {"text": '{"a": '}}, "this is not JSON"),
        ({"podDisruptionBudget": {"enabled": True, "maxUnavailable": 2}}, "there is one pod"),
    ],
)
def test_mistakes_are_refused_with_a_reason(values: Object, message: str) -> None:
    with pytest.raises(helm_python.HelmError, match=message):
        render(values)


@pytest.mark.parametrize(
    "values",
    [
        {"configuration": {"text": '{"a": {"pre-shared-key": "$8$c2VhbGVk"}}'}},
        {"configuration": {"text": '{"a": {"pre-shared-key": "clear"}}', "secret": True}},
        {"configuration": {"text": '{"a": "@POD_IP@"}'}, "persistence": {"enabled": False}},
        {"configuration": {"text": '{"a": "@SITE@"}', "variables": {"SITE": "north"}}},
        {"podDisruptionBudget": {"enabled": True, "maxUnavailable": 1}},
    ],
)
def test_their_neighbours_are_accepted(values: Object) -> None:
    assert render(values)["StatefulSet"]


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"image": {"repository": ""}},
        {"image": {"repository": "x", "digest": "sha256:short"}},
        {"management": {"metricsPort": 0}},
        {"management": {"metricsPort": 65536}},
        {"management": {"address": "localhost"}},
        {"persistence": {"accessModes": ["ReadWriteMany"]}},
        {"configuration": {"data": {"gateway": {}}}},
        {"configuration": {"variables": {"lower": "x"}}},
        {"tun": {"devicePlugin": "no-slash"}},
        {"hostNetwork": "yes"},
        {"service": {"ike": {"type": "ExternalName"}}},
        {"log": {"level": "loud"}},
    ],
)
def test_the_schema_refuses(values: Object) -> None:
    with pytest.raises(helm_python.HelmError):
        render_checked(values)


@pytest.mark.parametrize("values", [{"management": {"metricsPort": 1}}, {"management": {"metricsPort": 65535}}, {}])
def test_the_schema_accepts(values: Object) -> None:
    render_checked(values)


def render_checked(values: Object) -> None:
    """What `helm install` does before it renders: the values against the schema."""
    chart = helm_python.Chart.load(str(CHART))
    try:
        chart.validate_schema(values)
        chart.render(values, name="north", namespace="wsg")
    finally:
        chart.close()


@pytest.mark.parametrize("scenario", ["minimal", "demo", "xml"])
def test_the_first_configurations_are_valid(scenario: str) -> None:
    """Against the YANG modules, after wsgd's replacement of the variables."""
    objects = render(values_of(scenario))
    name, text = next(iter((objects.get("ConfigMap") or objects["Secret"])[0]["data"].items()))
    if "Secret" in objects:
        text = base64.b64decode(text).decode()
    variables = {"POD_IP": "192.0.2.1", "POD_NAME": "north-0", "NODE_NAME": "node", "ADMIN_AUTHORIZED_KEY": ADMIN_KEY}
    variables |= values_of(scenario).get("configuration", {}).get("variables", {})
    text = re.sub("@([A-Z_]+)@", lambda match: variables[match[1]], text)
    context = libyang.Context(str(ROOT / "yang"))
    for module in MODULES:
        context.load_module(module).feature_enable_all()
    tree = context.parse_data_mem(text, name.rpartition(".")[2], strict=True, no_state=True)
    assert tree is not None
    tree.free()
