"""Settings by name."""

from dataclasses import replace
from pathlib import Path

import pytest

from alonzo.daemon.config import Config, ConfigError
from alonzo.daemon.tuning import MEANINGS, names_in, settings_of, tuned


def config():
    return Config(Path("/nowhere"))


def test_every_limit_has_a_name_and_a_meaning():
    there = {
        name
        for part in ("auditing", "control", "environments", "invoke")
        for name in names_in(getattr(config(), part), f"{part}.")
    }
    assert set(MEANINGS) == there


def test_a_value_replaces_the_default_however_deep_it_lies():
    changed = tuned(
        config(),
        [
            "control.timeout_s_max=3600",
            "environments.keep_alive_s=0.5",
            "environments.cpu_limited=false",
            "invoke.streams.bytes_per_s=none",
        ],
    )
    assert changed.control.timeout_s_max == 3600
    assert changed.environments.keep_alive_s == 0.5
    assert changed.environments.cpu_limited is False
    assert changed.invoke.streams.bytes_per_s is None
    assert replace(changed, control=config().control).control == config().control


def test_each_setting_takes_the_value_that_it_has():
    for setting in settings_of(config()):
        assert tuned(config(), [f"{setting.name}={setting.text}"]) == config(), setting.name


@pytest.mark.parametrize(
    "assignment",
    [
        "control.timeout_s_max",
        "control.timeout_s_max=",
        "control.timeout_s_max=-1",
        "control.timeout_s_max=1.5",
        "control.timeout_s_max=none",
        "environments.keep_alive_s=inf",
        "environments.keep_alive_s=nan",
        "environments.cpu_limited=1",
        "environments=5",
        "account=1",
        "=1",
        "",
    ],
)
def test_what_cannot_be_set_is_refused(assignment):
    with pytest.raises(ConfigError):
        tuned(config(), [assignment])
