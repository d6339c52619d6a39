"""On an emulated processor (``tools/cgroup2_host``) everything may take longer."""

from types import SimpleNamespace

import pytest

from alonzo.testing import functions, waiting


class _Client:
    """Takes what a function is made of."""

    def create_function(self, **request):
        self.timeout_s = request.get("Timeout")
        return {"FunctionArn": "arn"}

    def get_waiter(self, name):
        return SimpleNamespace(wait=lambda **_: None)


@pytest.mark.parametrize(
    ("times", "configuration", "timeout_s"),
    [
        (1, {}, None),
        (1, {"Timeout": 2}, 2),
        (10, {}, 30),
        (10, {"Timeout": 2}, 2),
        (10, {"Timeout": 20}, 200),
        (10, {"Timeout": 100}, 900),
    ],
)
def test_a_function_has_so_many_times_its_limit_but_a_short_one_it_was_given(
    monkeypatch, times, configuration, timeout_s
):
    monkeypatch.setattr(waiting, "TIMES", times)
    client = _Client()
    functions.deploy(client, "f", "", **configuration)
    assert client.timeout_s == timeout_s


def test_a_condition_is_waited_for_so_many_times_as_long(monkeypatch):
    now = [0.0]
    clock = SimpleNamespace(
        monotonic=lambda: now[0], sleep=lambda _: now.__setitem__(0, now[0] + 1)
    )
    monkeypatch.setattr(waiting, "time", clock)
    with pytest.raises(AssertionError, match="after 3 s"):
        waiting.eventually(lambda: now[0] >= 20, 3)
    now[0] = 0.0
    monkeypatch.setattr(waiting, "TIMES", 10)
    assert waiting.eventually(lambda: now[0] >= 20, 3)
