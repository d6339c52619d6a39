"""The AWS CLI, several commands in one interpreter: starting it takes longer than they do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from alonzo.testing.daemon import REGION, DaemonProcess

_RUNNER = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
driver = create_clidriver()
for line in sys.stdin:
    out = io.StringIO()
    out.buffer = io.BytesIO()
    with contextlib.redirect_stdout(out):
        code = driver.main(json.loads(line))
    print(json.dumps([code, out.getvalue() + out.buffer.getvalue().decode()]), flush=True)
"""


def run_all(platform: DaemonProcess, home: Path, commands: Sequence[Sequence[str]]) -> list[str]:
    """Run commands in order, as the root user; each must succeed. Answers what each printed."""
    key_id, secret = platform.root_key()
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RUNNER],
        input="".join(json.dumps(each) + "\n" for each in commands),
        capture_output=True,
        text=True,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "AWS_ENDPOINT_URL": platform.endpoint,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        },
        timeout=120,
        check=False,
    )
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert [code for code, _ in answers] == [0] * len(commands), (answers, run.stderr)
    return [text for _, text in answers]
