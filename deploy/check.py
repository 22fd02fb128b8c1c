"""Holds the compose file against its specification, renders the Helm chart with several sets of values, and
holds every object against the schemas of Kubernetes. `just deploy-check` runs it, with the packages that
it needs."""

import json
import sys
from pathlib import Path

import compose_spec
import helm_python as helm
import kubernetes_validate
import yaml

HERE = Path(__file__).parent
CHART = HERE / "helm/wallex"
# The oldest that the chart admits and one of the newest that there is a schema of.
KUBERNETES = ["1.27.0", "1.34.0"]
# Helm's severities: 1 a hint, 2 a warning, 3 an error.
HINT = 1
DATABASE = {"database": {"existingSecret": "wallex-database"}}
EVERYTHING = {
    **DATABASE,
    "config": {"WALLEX_LANE_QUEUE_LEN_MAX": 1000000, "PROJECTORS_AUTO_START": False},
    "extraEnv": [{"name": "OTEL_SERVICE_NAME", "value": "wallex"}],
    "extraEnvFrom": [{"secretRef": {"name": "more"}}],
    "imagePullSecrets": [{"name": "pull"}],
    "ingress": {"enabled": True, "className": "nginx", "host": "wallex.example", "tlsSecret": "tls"},
    "autoscaling": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "runbookBase": "https://wiki.example/wallex/"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "wallex", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "scheme": "HTTPS",
    "extraVolumes": [{"name": "tls", "secret": {"secretName": "wallex-tls"}}],
    "extraVolumeMounts": [{"name": "tls", "mountPath": "/etc/wallex/tls", "readOnly": True}],
    "podLabels": {"team": "money"},
    "podAnnotations": {"example": "yes"},
}
SMALLEST = {
    **DATABASE,
    "migration": {"enabled": False},
    "firstKey": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "serviceAccount": {"create": False},
    "replicas": 1,
}
# Values that must be refused, and what the refusal says.
REFUSED = [
    ({}, "name the Secret that holds DATABASE_URL"),
    ({**DATABASE, "replica": 3}, "replica"),
    ({**DATABASE, "config": {"DATABASE_URL": "postgres://x"}}, "invalid propertyName 'DATABASE_URL'"),
    ({**DATABASE, "config": {"WALLEX_LISTEN": "127.0.0.1:80"}}, "invalid propertyName 'WALLEX_LISTEN'"),
    ({**DATABASE, "migration": {"enabled": False}}, "firstKey.enabled needs migration.enabled"),
    ({**DATABASE, "ingress": {"enabled": True}}, "ingress.host"),
]


def objects(chart, values, release="wallex"):
    """Every object that the chart makes of `values`."""
    chart.validate_schema(values)
    rendered = chart.render(values, name=release, namespace="money")
    for name, text in rendered.items():
        if name.endswith((".txt", ".tpl")):
            continue
        for document in yaml.safe_load_all(text):
            if document is not None:
                yield name, document


def check(chart, title, values):
    """Holds what comes of `values` against the schemas; returns the kinds."""
    kinds = []
    for name, document in objects(chart, values):
        kinds.append(document["kind"])
        if document["apiVersion"].startswith("monitoring.coreos.com/"):
            continue
        for version in KUBERNETES:
            kubernetes_validate.validate(document, version, strict=True)
    print(f"{title}: {len(kinds)} objects: {', '.join(sorted(kinds))}")
    return kinds


def pods(chart, values):
    """The pod specs among the objects."""
    for name, document in objects(chart, values):
        spec = document.get("spec", {})
        if document["kind"] == "Pod":
            yield name, spec
        elif "template" in spec:
            yield name, spec["template"]["spec"]


def check_hardening(chart):
    """Every container runs as nobody, can write nothing, and gains nothing."""
    for name, pod in pods(chart, EVERYTHING):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            secrets = [env for env in container.get("env", []) if env["name"] == "DATABASE_URL"]
            assert all("valueFrom" in env for env in secrets), name


def check_settings(chart):
    """Every container of Wallex has the settings, be it a server or a Job: they must agree."""
    shards = {**EVERYTHING, "config": {**EVERYTHING["config"], "WALLEX_SHARDS": 8}}
    settings = {}
    for _, document in objects(chart, shards):
        if document["kind"] == "ConfigMap":
            settings.update(document["data"])
    for name, pod in pods(chart, shards):
        if "tests/" in name:
            continue
        for container in pod["containers"]:
            held = {env["name"]: env.get("value") for env in container["env"]}
            if any("configMapRef" in source for source in container.get("envFrom", [])):
                held |= settings
            assert held["WALLEX_SHARDS"] == "8", name
            assert held["WALLEX_LANE_QUEUE_LEN_MAX"] == "1000000", name
            assert held["OTEL_SERVICE_NAME"] == "wallex", name
            assert container["volumeMounts"] and pod["volumes"], name


def refusal(chart, values):
    """What is said to values that are refused; nothing when they are taken."""
    try:
        list(objects(chart, values))
    except helm.HelmError as error:
        return str(error)
    return ""


def check_compose():
    """The compose file is one, and what its services name is there."""
    content = yaml.safe_load((HERE / "compose.yaml").read_text())
    # Merge keys are YAML's, and none of the specification's.
    compose_spec.PyCompose.from_json(json.dumps(content)).validate()
    for name, service in content["services"].items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (HERE / source).exists(), f"{name}: {source}"
    print(f"compose: {', '.join(content['services'])}")


def check_lint():
    """Helm's own opinion of the chart: hints are shown, warnings and errors are not let pass."""
    findings = helm.lint(str(CHART), values=DATABASE)["messages"]
    for finding in findings:
        print("lint:", finding["path"], finding["error"])
    assert all(finding["severity"] <= HINT for finding in findings)


def main():
    check_compose()
    check_lint()
    with helm.Chart.load(str(CHART)) as chart:
        check(chart, "defaults", DATABASE)
        kinds = check(chart, "everything", EVERYTHING)
        check(chart, "smallest", SMALLEST)
        for kind in ["NetworkPolicy", "ServiceMonitor", "PrometheusRule", "HorizontalPodAutoscaler", "Ingress"]:
            assert kind in kinds, kind
        check_hardening(chart)
        check_settings(chart)
        for values, saying in REFUSED:
            said = refusal(chart, values)
            assert saying in said, f"{values} is refused with {saying!r}, not with {said!r}"
    print("the chart is sound")


if __name__ == "__main__":
    sys.exit(main())
