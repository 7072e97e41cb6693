"""The Dockerfile and the Kubernetes manifests: what they name exists, and fits together."""

import json
import re
import shlex
import tomllib

import pytest
import yaml

from fleetcc.hosts.grammar import HostKind, parse_host_list
from fleetcc.server import listening, metrics
from tests.support.checkout import PACKAGING, ROOT, script

DOCKERFILE = (PACKAGING / "docker" / "Dockerfile").read_text("utf-8")
KUBERNETES = PACKAGING / "kubernetes"
HTTP_PORT = 3634
commands = script("commands")


@pytest.fixture(scope="module")
def server_options():
    return {name: option for option in commands.server_command().options for name in option.names}


@pytest.fixture(scope="module")
def manifests():
    found = {}
    for path in sorted(KUBERNETES.glob("*.yaml")):
        document = yaml.safe_load(path.read_text("utf-8"))
        found[document.get("kind", path.name)] = document
    return found


@pytest.fixture(scope="module")
def pod(manifests):
    return manifests["Deployment"]["spec"]["template"]


@pytest.fixture(scope="module")
def container(pod):
    (found,) = pod["spec"]["containers"]
    return found


def instructions(text):
    """[(INSTRUCTION, arguments)] of a Dockerfile."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]


def only(name):
    (found,) = [rest for word, rest in instructions(DOCKERFILE) if word == name]
    return found


def assert_fleetccd_takes(arguments, options):
    rest = iter(arguments)
    for word in rest:
        flag, equals, value = word.partition("=")
        assert flag in options, word
        if options[flag].metavar and not equals:
            value = next(rest)
        assert bool(options[flag].metavar) == bool(value), word


# Docker


def test_the_image_starts_a_server_in_the_foreground_with_options_that_exist(server_options):
    program, *arguments = json.loads(only("ENTRYPOINT"))
    assert program == "fleetccd"
    assert_fleetccd_takes(arguments, server_options)
    assert {"--no-detach", "--log-stderr"} <= set(arguments)
    assert arguments[arguments.index("--http") + 1] == f"0.0.0.0:{HTTP_PORT}"
    assert arguments[arguments.index("--state-dir") + 1] == only("VOLUME")
    assert arguments[arguments.index("--allow") + 1] == "127.0.0.1", "or the check of health is refused"
    assert f"http://127.0.0.1:{HTTP_PORT}/healthz" in only("HEALTHCHECK")
    assert only("EXPOSE").split() == [str(listening.DEFAULT_PORT), str(HTTP_PORT)]
    assert only("STOPSIGNAL") == "SIGTERM"


def test_the_last_stage_has_no_compiler_and_another_user_than_root():
    stages = [number for number, (word, _) in enumerate(instructions(DOCKERFILE)) if word == "FROM"]
    assert len(stages) == 2
    last = instructions(DOCKERFILE)[stages[-1] :]
    (run,) = [rest for word, rest in last if word == "RUN"]
    assert not re.search(r"apt-get|pip|gcc", run)
    user, _, group = only("USER").partition(":")
    assert user.isdecimal()
    assert user != "0"
    # `--system` gives the group a number of its own choice, which is not that of USER.
    assert f"--uid {user} --user-group " in run
    assert "--system" not in run
    assert group == user


def test_the_build_asks_no_registry_but_for_its_base():
    assert "# syntax=" not in DOCKERFILE
    bases = {rest.split()[0] for word, rest in instructions(DOCKERFILE) if word == "FROM"}
    assert len(bases) == 1


def test_the_build_copies_all_that_the_wheel_is_made_of():
    copied = set()
    for word, rest in instructions(DOCKERFILE):
        if word == "COPY" and not rest.startswith("--from"):
            copied |= set(rest.split()[:-1])
    for name in copied:
        assert (ROOT / name).exists(), name
    assert copied >= {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "native", "src"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"].get("shared-data", {})
    assert {path.partition("/")[0] for path in shared} <= copied
    ignored = (PACKAGING / "docker" / "Dockerfile.dockerignore").read_text("utf-8")
    assert {line[1:] for line in ignored.splitlines() if line.startswith("!")} == copied


def test_the_options_of_docker_are_those_that_the_manual_names():
    manual = (ROOT / "docs" / "replica.md").read_text("utf-8")
    for option in ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"):
        assert f"--security-opt {option}" in DOCKERFILE
        assert f"--security-opt {option}" in re.sub(r"\n", " ", manual)


# Kubernetes


def test_every_manifest_fits_the_schema_of_its_kind(manifests):
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    checked = 0
    for document in manifests.values():
        if "kind" in document and document["kind"] != "Kustomization":
            for version in ("1.33", "1.36"):
                validate.validate(document, version, strict=True)
            checked += 1
    assert checked == 5
    wrong = {**manifests["Service"], "spec": {**manifests["Service"]["spec"], "clusterIp": "None"}}
    with pytest.raises(validate.ValidationError):
        validate.validate(wrong, "1.33", strict=True)


def test_all_manifests_are_applied_together(manifests):
    listed = manifests["Kustomization"]["resources"]
    others = {"kustomization.yaml", "adapter-values.yaml"}
    assert sorted(listed) == sorted(
        path.name for path in KUBERNETES.glob("*.yaml") if path.name not in others
    )
    (image,) = manifests["Kustomization"]["images"]
    assert manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"] == image["name"]


def test_the_service_makes_the_records_that_clients_look_up(manifests, container):
    service = manifests["Service"]
    assert service["spec"]["clusterIP"] == "None"
    (port,) = service["spec"]["ports"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert (port["name"], port["protocol"], port["port"]) == ("fleetcc", "TCP", listening.DEFAULT_PORT)
    assert ports[port["targetPort"]] == port["port"], "A records are dialled at fleetcc's own port"
    name = f"_{port['name']}._tcp.{service['metadata']['name']}.builds.svc.cluster.local"
    (entry,) = parse_host_list(name, "FLEETCC_HOSTS").hosts
    assert (entry.kind, entry.name, entry.port) == (HostKind.TCP, name, 0), "a service: its ports are in DNS"
    for page in ("docs/operations.md", "packaging/kubernetes/kustomization.yaml"):
        assert name in (ROOT / page).read_text("utf-8")


def test_every_selector_means_the_pods_of_the_deployment(manifests, pod):
    labels = pod["metadata"]["labels"]
    selectors = [
        manifests["Deployment"]["spec"]["selector"]["matchLabels"],
        manifests["Service"]["spec"]["selector"],
        manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]
    assert all(selector == labels for selector in selectors)


def test_the_pods_options_exist_and_fit_their_resources(container, server_options, pod):
    assert_fleetccd_takes(container["args"], server_options)
    given = dict(word.lstrip("-").partition("=")[::2] for word in container["args"])
    assert given["jobs"] == "$(CPUS)"
    assert container["env"][0]["name"] == "CPUS"
    assert container["env"][0]["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu"
    assert float(given["drain-timeout"]) < pod["spec"]["terminationGracePeriodSeconds"]
    volumes = {volume["name"]: volume["emptyDir"] for volume in pod["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    state = next(path for path in mounts if given["state-dir"].startswith(path))
    room = int(volumes[mounts[state]]["sizeLimit"].removesuffix("Gi"))
    assert room > 2 * int(given["store-size"].removesuffix("G")), "the store, and once more for replicas"


def test_the_pod_is_nobody_and_may_make_a_sandbox(pod, container):
    spec = pod["spec"]
    assert spec["hostUsers"] is False, "the API refuses procMount: Unmasked without"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "procMount": "Unmasked",
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] == int(only("USER").split(":")[0])
    assert spec["securityContext"]["seccompProfile"] == {"type": "Unconfined"}


def test_readiness_is_what_the_server_says_of_itself(container):
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    probe = container["readinessProbe"]["httpGet"]
    assert (probe["path"], ports[probe["port"]]) == ("/healthz", HTTP_PORT)
    assert "httpGet" not in container["livenessProbe"], "a server that drains answers 503, and is alive"


def test_the_policy_names_ports_of_the_pod(manifests, container):
    ports = {each["name"] for each in container["ports"]}
    policy = manifests["NetworkPolicy"]["spec"]
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == ports
    assert policy["egress"] == []


def test_the_autoscaler_counts_slots_by_a_metric_that_is_made_of_the_servers(manifests, container):
    scaler = manifests["HorizontalPodAutoscaler"]["spec"]
    (metric,) = scaler["metrics"]
    (rule,) = manifests["adapter-values.yaml"]["rules"]["external"]
    assert scaler["scaleTargetRef"]["name"] == manifests["Deployment"]["metadata"]["name"]
    assert metric["external"]["metric"]["name"] == rule["name"]["as"]
    assert metric["external"]["target"]["averageValue"] == container["resources"]["limits"]["cpu"]
    gauges = {row.name for row in metrics._GAUGES}
    named = set(re.findall(r"fleetccd_\w+", rule["metricsQuery"] + rule["seriesQuery"]))
    assert named == {"fleetccd_jobs_running", "fleetccd_jobs_waiting", "fleetccd_jobs_wanted"}
    assert named <= gauges
    annotations = manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(HTTP_PORT)


def test_metrics_that_documents_name_exist():
    counters = {f"{row.name}_total" for row in metrics._COUNTERS}
    families = {name for name, _, _ in metrics._HISTOGRAMS}
    known = counters | {row.name for row in metrics._GAUGES} | families
    known |= {f"{name}_{part}" for name in families for part in ("bucket", "sum", "count")}
    for page in ("operations.md", "server.md", "security.md"):
        named = set(re.findall(r"`(fleetccd_\w+)", (ROOT / "docs" / page).read_text("utf-8")))
        assert named <= known, page


def test_the_command_in_the_dockerfile_gives_options_of_the_server(server_options):
    command = re.sub(
        r"^# ?|\\$", "", DOCKERFILE.partition("docker run ")[2].partition("#\n")[0], flags=re.MULTILINE
    )
    words = shlex.split(command)
    assert_fleetccd_takes(words[len(words) - words[::-1].index("fleetccd") :], server_options)
