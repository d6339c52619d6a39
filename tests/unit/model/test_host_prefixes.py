"""The prefixes that SDKs put before an endpoint's name, against the models that say so."""

import gzip
import re
from pathlib import Path

import botocore

from alonzo.daemon.catalog import SERVICES
from alonzo.model.host_prefixes import HOST_PREFIXES, LOOPBACK_NAMES, without_prefix

DATA = Path(botocore.__file__).parent / "data"
PREFIX = re.compile(rb'"hostPrefix"\s*:\s*"([^"]*)"')
#: Those of models of before, which no longer say so. Source: botocore 1.34.0, ``logs``.
OF_BEFORE = {"streaming-"}


def test_every_prefix_of_the_models_is_known_that_has_no_label_of_the_request():
    found = set()
    for service in SERVICES:
        models = sorted(DATA.glob(f"{service.name}/*/service-2.json.gz"))
        assert models, service.name
        found |= {
            text.decode() for text in PREFIX.findall(gzip.decompress(models[-1].read_bytes()))
        }
    assert {each for each in found if "{" not in each} | OF_BEFORE == set(HOST_PREFIXES)


def test_a_prefix_is_taken_off_once():
    for name in LOOPBACK_NAMES:
        assert without_prefix(name) in {"127.0.0.1", "localhost"}
    assert without_prefix("stream-stream-box") == "stream-box"
    assert without_prefix("upstream-box") == "upstream-box"
