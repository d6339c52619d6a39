"""Functions on AWS's own clients for Go, Rust and C++, and in a shell, built and run for real.

A test is skipped, with the reason, where its toolchain is missing. What takes a minute to build
runs only when it is asked for: ``ALONZO_TEST_TOOLCHAINS=all``.
"""

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[1] / "functions"
#: Fetching and building, on a small machine that has done neither before.
BUILD_S_MAX = 170.0

pytestmark = pytest.mark.timeout(BUILD_S_MAX + 30)


def need(program, *, slow=False):
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} on PATH")
    if slow and os.environ.get("ALONZO_TEST_TOOLCHAINS") != "all":
        pytest.skip("it takes a minute to build: set ALONZO_TEST_TOOLCHAINS=all to run it")


def run(*command, cwd, **variables):
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_S_MAX,
    )
    if done.returncode != 0:
        pytest.fail(f"{command}: {done.stderr}")


def fetch(*command, cwd):
    """Fetch a program's dependencies, or skip: the machine may be off the net."""
    try:
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command} does not end")
    if done.returncode != 0:
        pytest.skip(f"{command}: {done.stderr.splitlines()[-1:]}")


def build_go(target):
    need("go")
    # No C, so that it runs on any system; a copy, because Go may write beside the source.
    source = shutil.copytree(FUNCTIONS / "go", target.with_suffix(".source"))
    fetch("go", "mod", "download", cwd=source)
    arguments = ("-trimpath", "-ldflags=-s -w", "-tags", "lambda.norpc", "-o", target)
    run("go", "build", *arguments, cwd=source, CGO_ENABLED="0", GOFLAGS="-mod=readonly")


def build_rust(target):
    need("cargo", slow=True)
    source = shutil.copytree(FUNCTIONS / "rust", target.with_suffix(".source"))
    fetch("cargo", "fetch", "--locked", "--quiet", cwd=source)
    run("cargo", "build", "--release", "--locked", "--quiet", cwd=source, CARGO_TARGET_DIR="target")
    shutil.copy(source / "target/release/bootstrap", target)


def build_cpp(target):
    need("cmake", slow=True)
    need("c++", slow=True)
    folder = target.with_suffix(".build")
    probe = ("cmake", "--find-package", "-DNAME=aws-lambda-runtime", "-DCOMPILER_ID=GNU",
             "-DLANGUAGE=CXX", "-DMODE=EXIST")  # fmt: skip
    folder.mkdir()
    if subprocess.run(probe, capture_output=True, cwd=folder).returncode != 0:
        pytest.skip("aws-lambda-cpp is not installed: build it from its source to run this test")
    run("cmake", FUNCTIONS / "cpp", "-DCMAKE_BUILD_TYPE=Release", cwd=folder)
    run("cmake", "--build", ".", cwd=folder)
    shutil.copy(folder / "bootstrap", target)


BUILDERS = {"go": build_go, "rust": build_rust, "cpp": build_cpp}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Builds a language's function, once for all workers of the session."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def build(language):
        target = folder / f"{language}-function/bootstrap"
        target.parent.mkdir(exist_ok=True)
        with (folder / f"{language}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.exists():
                for left in target.parent.iterdir():
                    shutil.rmtree(left)
                BUILDERS[language](target)
        return target

    return build


@pytest.fixture(params=BUILDERS)
def compiled(request, function, built):
    """Deploys the function of one language with a handler."""
    program = built(request.param)

    def compiled(handler, **configuration):
        return function(
            {"bootstrap": program.read_bytes()},
            Runtime="provided.al2023",
            Handler=handler,
            **{"Timeout": 10, **configuration},
        )

    compiled.language = request.param
    return compiled


def test_a_compiled_function_says_hello_cold_and_warm(compiled):
    greeter = compiled("hello")
    for name in ("Grüße, 世界", "x" * 100_000):
        outcome = greeter.invoke({"name": name}, LogType="Tail")
        assert (outcome.status, outcome.function_error) == (200, None), outcome.body
        seen = outcome.json
        greeted = seen["hello"]["name"] if compiled.language == "cpp" else seen["hello"]
        assert greeted == name
        assert seen["id"] == outcome.headers["x-amzn-requestid"]
        assert seen["arn"] == greeter.arn
        assert "hello from" in outcome.log


def test_a_compiled_function_s_errors_are_its_client_s_documents(compiled):
    broken = compiled("fail")
    outcome = broken.invoke({"name": "x"})
    assert outcome.function_error == "Unhandled"
    kinds = {"go": "OutOfCheese", "cpp": "OutOfCheese"}
    assert outcome.json["errorMessage"] == "redo from start"
    if compiled.language in kinds:
        assert outcome.json["errorType"] == kinds[compiled.language]
    assert broken.invoke({"name": "again"}).json["errorMessage"] == "redo from start"


def test_a_compiled_function_that_takes_too_long_is_ended(compiled):
    sleeper = compiled("sleep", Timeout=1)
    outcome = sleeper.invoke({"seconds": 60.0})
    assert outcome.function_error == "Unhandled"
    request_id = outcome.headers["x-amzn-requestid"]
    assert outcome.json == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }


@pytest.fixture
def go(function, built):
    program = built("go")

    def go(handler):
        files = {"bootstrap": program.read_bytes()}
        return function(files, Runtime="provided.al2023", Handler=handler, Timeout=10)

    return go


def test_go_tells_a_panic_from_an_error(go):
    broken = go("fail")
    plain = broken.invoke({"name": "plain"})
    assert plain.json == {"errorMessage": "plain", "errorType": "errorString"}
    panic = broken.invoke({"name": "panic"})
    assert panic.function_error == "Unhandled"
    assert panic.json["errorMessage"] == "out of the blue"
    assert panic.json["errorType"] == "string"
    assert any(frame["path"].endswith("main.go") for frame in panic.json["stackTrace"])
    # Its client has ended the process; the next call starts a new one.
    assert broken.invoke({"name": "plain"}).json["errorType"] == "errorString"


def test_go_sees_its_deadline_and_its_function(go):
    greeter = go("hello")
    seen = greeter.invoke({"name": "x"}).json
    assert 0 < seen["remaining_ms"] <= 10_000
    assert (seen["function"], seen["memory"]) == (greeter.name, 128)


def test_a_streamed_response_of_go_arrives_whole(go):
    streamer = go("stream")
    for name in "ab":
        assert streamer.invoke({"name": name}).body == name.encode() * 3000
        assert streamer.stream({"name": name}).body == name.encode() * 3000


def test_go_s_reader_fails_in_the_middle_of_a_stream(go):
    streamed = go("stream").stream({"name": "a", "seconds": -1})
    assert streamed.body == b"a" * 3000
    assert streamed.complete["ErrorCode"] == "Unhandled"
    assert json.loads(streamed.complete["ErrorDetails"])["errorMessage"] == "redo from start"


@pytest.fixture
def shell(function):
    need("bash")
    need("curl")

    def shell(handler, **configuration):
        configuration = {"Runtime": "provided.al2023", "Timeout": 10, **configuration}
        return function(FUNCTIONS / "bash", Handler=handler, **configuration)

    return shell


def test_a_shell_loop_answers_fails_and_streams(shell):
    loop = shell("any")
    assert loop.invoke({"a": "ö"}).json == {"hello": {"a": "ö"}}
    failed = loop.invoke("fail")
    assert failed.function_error == "Unhandled"
    assert failed.json == {"errorMessage": "told to fail", "errorType": "Failed"}
    assert loop.invoke("stream").body == b"1 2 3 "
    assert loop.stream("stream").body == b"1 2 3 "
    assert loop.invoke(1).json == {"hello": 1}


def test_a_shell_loop_that_sleeps_is_ended(shell):
    outcome = shell("any", Timeout=1).invoke("sleep")
    assert outcome.function_error == "Unhandled"
    assert outcome.json["errorType"] == "Sandbox.Timedout"


def test_a_shell_loop_that_cannot_start_says_why(shell):
    outcome = shell("absent").invoke({})
    assert outcome.function_error == "Unhandled"
    assert outcome.json == {"errorMessage": "no handler", "errorType": "Runtime.NoSuchHandler"}
