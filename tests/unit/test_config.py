"""What the platform refuses to run with."""

from pathlib import Path

import pytest

from alonzo.daemon.config import Config, ConfigError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_without_authentication_a_loopback_address_will_do(host):
    Config(Path("/x"), host=host, auth="off").check()


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "127.0.0.1.evil", "localhost.corp"])
def test_without_authentication_no_other_address_will_do(host):
    with pytest.raises(ConfigError, match="--auth off"):
        Config(Path("/x"), host=host, auth="off").check()


def test_an_empty_host_is_not_every_interface():
    with pytest.raises(ConfigError, match="empty"):
        Config(Path("/x"), host="").check()


@pytest.mark.parametrize("account", ["", "1", "12345678901x", "1234567890123", "\uff11" * 12])
def test_an_account_has_twelve_digits(account):
    with pytest.raises(ConfigError, match="12 digits"):
        Config(Path("/x"), account=account).check()


@pytest.mark.parametrize(
    ("isolation", "network"),
    [("none", "nat"), ("none", "none"), ("gvisor", "nat"), ("gvisor", "host")],
)
def test_a_network_that_an_isolation_does_not_have_is_refused(isolation, network):
    with pytest.raises(ConfigError, match=f"--isolation {isolation}.*--network {network}"):
        Config(Path("/x"), isolation=isolation, network=network).check()
    Config(Path("/x"), isolation=isolation).check()


@pytest.mark.parametrize(
    "region", ["", "mars", "us-east", "US-EAST-1", "us-east-1 ", "us-east-\uff11"]
)
def test_a_region_looks_like_one_of_aws(region):
    with pytest.raises(ConfigError, match="looks like us-east-1"):
        Config(Path("/x"), region=region).check()


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "ap-southeast-7"])
def test_regions_of_aws_are_taken(region):
    Config(Path("/x"), region=region).check()
