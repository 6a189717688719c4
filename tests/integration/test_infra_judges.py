"""infra/ before the programs that read it: Docker's compose, hadolint, promtool, Kubernetes' schemas, Terraform."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import kubernetes_validate
import pytest
import yaml
from support import deployed
from support.deployed import INFRA, ROLES

KUBERNETES = INFRA / "kubernetes"
MANIFESTS = sorted(path for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")
TERRAFORM = INFRA / "terraform" / "aws"
PLUGINS = Path("/opt/tf-plugins")
JUDGES = Path(sys.prefix) / "judges" / "node_modules"


def program(name: str, why: str = "") -> str:
    """A program next to this Python, or on the path; a test that lacks it is skipped."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed{why}")
    return found


def ran(*words: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


# --- containers ------------------------------------------------------------------------------------------------------


def test_compose_takes_the_file_with_the_example_of_settings(tmp_path: Path) -> None:
    compose = program("docker-compose")
    deployed.made_secrets(tmp_path / "secrets")
    words = ["--file", INFRA / "compose.yaml", "--env-file", INFRA / "env.example", "--profile", "all"]
    answer = ran(compose, *words, "--profile", "setup", "config", "--format", "json")
    assert answer.returncode == 0, answer.stderr
    assert "variable is not set" not in answer.stderr
    services = json.loads(answer.stdout)["services"]
    assert services["nightly"]["environment"]["SECOND"] == "/second/lake"
    sources = {mount["source"] for mount in services["watch"]["volumes"]}
    assert "/srv/epma" in sources
    for service in services.values():
        for mount in service.get("volumes", ()):
            inside = Path(mount["source"])
            if mount["type"] == "bind" and inside.is_relative_to(INFRA):
                assert inside.exists(), inside
    started = json.loads(ran(compose, *words[:4], "config", "--format", "json").stdout)["services"]
    assert set(started) == {"s3", "nginx"}


def test_compose_refuses_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((INFRA / "compose.yaml").read_text().replace("cap_drop:", "cap_drops:"))
    answer = ran(program("docker-compose"), "--file", wrong, "config", "--quiet")
    assert answer.returncode != 0
    assert "cap_drops" in answer.stderr


def test_the_containerfile_passes_the_linter(tmp_path: Path) -> None:
    hadolint = program("hadolint")
    answer = ran(hadolint, "--no-color", INFRA / "Containerfile")
    assert answer.returncode == 0, answer.stdout
    wrong = tmp_path / "Containerfile"
    wrong.write_text("FROM debian:latest\nRUN cd /tmp && apt-get install curl\n")
    assert ran(hadolint, "--no-color", wrong).returncode == 1


def test_prometheus_takes_its_settings(tmp_path: Path) -> None:
    promtool = program("promtool", ": apt-get install prometheus")
    (tmp_path / "rules").mkdir()
    shutil.copy(INFRA / "monitoring" / "alerts.yml", tmp_path / "rules")
    shutil.copy(INFRA / "compose" / "prometheus.yml", tmp_path)
    answer = ran(promtool, "check", "config", tmp_path / "prometheus.yml")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "rules found" in answer.stdout


@pytest.mark.parametrize("script", sorted((INFRA / "compose").glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_those_of_a_plain_shell(script: Path) -> None:
    shell = shutil.which("dash") or "/bin/sh"
    assert ran(shell, "-n", script).returncode == 0
    if checker := shutil.which("shellcheck"):
        answer = ran(checker, "--shell=sh", "--severity=warning", script)
        assert answer.returncode == 0, answer.stdout


# --- Kubernetes ------------------------------------------------------------------------------------------------------


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_fit_the_schemas(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, "1.37", strict=True)
    wrong = documents(path)[0] | {"metadata": {"name": ["not", "a", "name"]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def pods() -> dict[str, dict[str, Any]]:
    """The pods of all workloads, by name."""
    found = {}
    for path in MANIFESTS:
        for each in documents(path):
            if each["kind"] in ("Deployment", "StatefulSet"):
                found[each["metadata"]["name"]] = each["spec"]["template"]["spec"]
            elif each["kind"] == "CronJob":
                found[each["metadata"]["name"]] = each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def test_each_pod_is_confined_and_has_the_keys_of_one_role() -> None:
    roles = {}
    for name, pod in pods().items():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        made = {volume["name"] for volume in pod["volumes"]} | ({"cache"} if name == "watch" else set())
        assert mounted == made, name
        (roles[name],) = [each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each]
    assert roles == {
        "watch": "lake-ingester",
        "serve": "lake-reader",
        "verify": "lake-reader",
        "gc": "lake-steward",
        "checkpoint": "lake-ingester",
        "copy": "lake-copy",
    }
    examples = {each["metadata"]["name"] for each in documents(KUBERNETES / "secrets.example.yaml")}
    assert set(roles.values()) <= examples


def test_kustomize_builds_what_is_applied() -> None:
    kubectl = program("kubectl", ", nor does another test build kustomization.yaml")
    for folder in (KUBERNETES, KUBERNETES / "monitoring"):
        answer = ran(kubectl, "kustomize", folder)
        assert answer.returncode == 0, answer.stderr
        built = list(yaml.safe_load_all(answer.stdout))
        assert {each["kind"] for each in built}.isdisjoint({"Secret"})
        assert all(each["kind"] == "Namespace" or each["metadata"]["namespace"] == "sxeslake" for each in built)


# --- AWS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(TERRAFORM.glob("*.tf")), ids=lambda path: path.name)
def test_terraform_files_are_hcl(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        assert hcl2.load(file)


def test_terraform_plans_the_facility(tmp_path: Path) -> None:
    terraform = program("terraform")
    if not PLUGINS.is_dir():
        pytest.skip(f"the AWS provider is not in {PLUGINS}, and tests load none from the network")
    assert ran(terraform, "fmt", "-check", "-recursive", TERRAFORM, TF_CLI_CONFIG_FILE=os.devnull).returncode == 0
    shutil.copytree(INFRA / "aws", tmp_path / "aws")
    place = shutil.copytree(TERRAFORM, tmp_path / "terraform" / "aws", ignore=shutil.ignore_patterns(".terraform*"))
    settings = {"TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"}
    made = ran(terraform, "init", f"-plugin-dir={PLUGINS}", "-input=false", "-no-color", cwd=place, **settings)
    assert made.returncode == 0, made.stderr
    answer = ran(terraform, "test", "-no-color", cwd=place, **settings)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "0 failed" in answer.stdout


SIMULATION = """
import { runSimulation } from '@cloud-copilot/iam-simulate';
const asked = JSON.parse(process.argv[2]);
const results = [];
for (const each of asked.requests) {
  const answer = await runSimulation({
    request: {
      principal: each.principal, action: each.action,
      resource: { resource: each.resource, accountId: '111122223333' }, contextVariables: each.context,
    },
    identityPolicies: each.policy ? [{ name: 'own', policy: each.policy }] : [],
    resourcePolicy: asked.bucketPolicy, serviceControlPolicies: [], resourceControlPolicies: [],
  }, {});
  if (answer.resultType !== 'single') throw new Error(JSON.stringify(answer));
  results.push(answer.overallResult);
}
console.log(JSON.stringify(results));
"""


def test_the_policies_as_aws_evaluates_them(tmp_path: Path) -> None:
    """By a simulator of IAM, which knows the condition keys that SeaweedFS does not."""
    node, module = program("node"), JUDGES / "@cloud-copilot" / "iam-simulate"
    if not module.is_dir():
        pytest.skip(f"iam-simulate is not in {JUDGES}: .ci/bootstrap test installs it where there is npm")
    (tmp_path / "node_modules").symlink_to(JUDGES)
    script = tmp_path / "simulate.mjs"
    script.write_text(SIMULATION)

    def policy(name: str) -> dict[str, Any]:
        text = (INFRA / "aws" / f"{name}.json").read_text().replace("BUCKET", "lake")
        filled: dict[str, Any] = json.loads(text.replace("ACCOUNT", "111122223333"))
        return filled

    administrator = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    own = {name: policy(name) for name in ROLES} | {"administrator": administrator}
    created = {"s3:if-none-match": "*"}
    asked: list[tuple[str, str, dict[str, str], set[str]]] = [
        ("s3:ListBucket", "lake", {}, {*own}),
        ("s3:GetObject", "lake/log/1", {}, {*own}),
        ("s3:PutObject", "lake/log/1", created, {"ingester", "steward", "administrator"}),
        ("s3:PutObject", "lake/log/1", {}, {"steward"}),
        ("s3:DeleteObject", "lake/log/1", {}, {"steward"}),
        ("s3:DeleteObjectVersion", "lake/log/1", {}, set()),
        ("s3:PutLifecycleConfiguration", "lake", {}, {"administrator"}),
        ("s3:GetObject", "lake/log/1", {"aws:SecureTransport": "false"}, set()),
    ]
    users = "arn:aws:iam::111122223333:user/sxeslake"
    requests = [
        {
            "principal": f"{users}-{who}",
            "policy": own[who],
            "action": action,
            "resource": f"arn:aws:s3:::{place}",
            "context": {"aws:SecureTransport": "true", "aws:PrincipalArn": f"{users}-{who}"} | context,
        }
        for action, place, context, _ in asked
        for who in own
    ]
    document = json.dumps({"bucketPolicy": policy("bucket-policy"), "requests": requests})
    answer = ran(node, script, document)
    assert answer.returncode == 0, answer.stderr
    results = iter(json.loads(answer.stdout))
    for action, _, context, may in asked:
        allowed = {who for who in own if next(results) == "Allowed"}
        assert allowed == may, (action, context)
