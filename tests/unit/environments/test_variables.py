"""Variables of processes that have no root of their own."""

from __future__ import annotations

import dataclasses

from alonzo.environments.variables import parked_variables, runtime_variables
from alonzo.model.context import Principal
from alonzo.model.ports.identity import AccessKey
from alonzo.testing.pool import VERSION

OF_RUNTIME = {"NODE_PATH": "/opt/nodejs/node_modules:/var/task", "SHLVL": "0"}


def test_without_a_root_variables_are_as_on_aws():
    assert parked_variables(OF_RUNTIME, {})["NODE_PATH"] == OF_RUNTIME["NODE_PATH"]
    assert "TMPDIR" not in parked_variables(OF_RUNTIME, {})


def test_with_a_root_those_of_the_platform_lead_below_it():
    variables = parked_variables(OF_RUNTIME, {"SIZE": "128"}, root="/R")
    assert variables["LAMBDA_TASK_ROOT"] == "/R/var/task"
    assert variables["NODE_PATH"] == "/R/opt/nodejs/node_modules:/R/var/task"
    assert variables["PATH"] == "/R/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/R/opt/bin"
    assert variables["TMPDIR"] == "/R/tmp"
    assert (variables["TZ"], variables["SHLVL"], variables["SIZE"]) == (":UTC", "0", "128")


def test_without_a_hosts_file_of_its_own_host_prefixes_are_left_out_unless_the_user_says():
    name = "AWS_DISABLE_HOST_PREFIX_INJECTION"
    facts = {
        "of_runtime": OF_RUNTIME,
        "log_stream": "s",
        "credentials": AccessKey("ASIA", "s", Principal("0" * 12, "arn", "id", "ASIA"), "t"),
        "endpoint_port": 4566,
    }
    users = dataclasses.replace(VERSION, environment={name: "false"})
    assert name not in runtime_variables(VERSION, **facts)
    assert runtime_variables(VERSION, **facts, root="/R")[name] == "true"
    assert runtime_variables(users, **facts, root="/R")[name] == "false"
