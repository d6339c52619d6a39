"""What a function finds of its layers: in which order, and along which paths of its language."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.testing.functions import PYTHON_RUNTIME, package
from alonzo.testing.java import compile_into, oldest_compiler


@pytest.fixture
def layer(lambda_client, function_name):
    """Publishes a layer of these files; answers the ARN of its version."""
    made = []

    def publish(files):
        name = f"{function_name}-{len(made)}"
        found = lambda_client.publish_layer_version(
            LayerName=name, Content={"ZipFile": package(files)}
        )
        made.append((name, found["Version"]))
        return found["LayerVersionArn"]

    yield publish
    for name, version in made:
        lambda_client.delete_layer_version(LayerName=name, VersionNumber=version)


def newest(family):
    """The newest runtime of a family that this host has, or skip."""
    known = catalog.runtimes(Config(Path("/nonexistent")))
    names = [name for name in known.names if re.match(rf"{family}\d", name)]
    found = next((name for name in reversed(names) if known.unavailable(name) is None), None)
    if found is None:
        pytest.skip(f"no {family} on this host")
    return found


def test_five_layers_are_one_tree_in_which_the_last_wins(function, layer):
    arns = [layer({"who": str(n), f"only/{n}": "", "bin/tool": f"#!/bin/sh\necho {n}\n"})
            for n in range(5)]  # fmt: skip
    source = (
        "import os, subprocess\n"
        "def handler(event, context):\n"
        "    said = subprocess.run(['tool'], stdout=subprocess.PIPE).stdout.decode()\n"
        "    return [open('/opt/who').read(), sorted(os.listdir('/opt/only')), said]\n"
    )
    outcome = function(source, Layers=arns).invoke()
    assert outcome.json == ["4", ["0", "1", "2", "3", "4"], "4\n"]


def test_python_finds_packages_for_its_version_first(function, layer):
    versioned = f"python/lib/{PYTHON_RUNTIME}/site-packages"
    files = {f"{versioned}/both.py": "x = 'versioned'", "python/both.py": "x = 'plain'",
             "python/plain.py": "x = 'plain'"}  # fmt: skip
    source = "import both, plain\ndef handler(event, context): return [both.x, plain.x]"
    assert function(source, Layers=[layer(files)]).invoke().json == ["versioned", "plain"]


def test_nodejs_requires_and_imports_packages_for_its_version_first(function, layer):
    runtime = newest("nodejs")
    versioned = f"nodejs/node{runtime[6:8]}/node_modules"
    files = {f"{versioned}/both/index.js": "module.exports = 'versioned'",
             "nodejs/node_modules/both/index.js": "module.exports = 'plain'",
             "nodejs/node_modules/plain/index.js": "module.exports = 'plain'"}  # fmt: skip
    source = (
        "import { createRequire } from 'node:module';\nimport both from 'both';\n"
        "import plain from 'plain';\nconst require = createRequire(import.meta.url);\n"
        "export const handler = async () => [both, plain, require('both'), require('plain')];\n"
    )
    outcome = function({"handler.mjs": source}, Layers=[layer(files)], Runtime=runtime).invoke()
    assert outcome.json == ["versioned", "plain"] * 2


def test_ruby_finds_gems_and_libraries(function, layer):
    runtime = newest("ruby")
    gems = f"ruby/gems/{runtime.removeprefix('ruby')}.0"
    specification = (
        "Gem::Specification.new { |s| s.name = 'gemmed'; s.version = '1.0'; s.summary = 's'; "
        "s.authors = ['a']; s.files = ['lib/gemmed.rb'] }"
    )
    files = {f"{gems}/gems/gemmed-1.0/lib/gemmed.rb": "GEMMED = 1",
             f"{gems}/specifications/gemmed-1.0.gemspec": specification,
             "ruby/lib/plain.rb": "PLAIN = 2"}  # fmt: skip
    source = "require 'gemmed'\nrequire 'plain'\ndef handler(event:, context:) = [GEMMED, PLAIN]"
    outcome = function({"handler.rb": source}, Layers=[layer(files)], Runtime=runtime).invoke()
    assert outcome.json == [1, 2]


def test_java_finds_archives(function, layer, tmp_path):
    runtime = newest("java")
    if oldest_compiler() is None:
        pytest.skip("no Java compiler on this host")
    library, code = tmp_path / "Library.java", tmp_path / "Uses.java"
    library.write_text('public class Library { public static String said = "found"; }')
    code.write_text("public class Uses { public String run() { return Library.said; } }")
    classes = compile_into(tmp_path, [library, code])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as jar:
        jar.write(classes / "Library.class", "Library.class")
    uses = function(
        {"Uses.class": (classes / "Uses.class").read_bytes()},
        Layers=[layer({"java/lib/library.jar": archive.getvalue()})],
        Runtime=runtime,
        Handler="Uses::run",
        MemorySize=256,
        Timeout=20,
    )
    assert uses.invoke().json == "found"
