"""What the daemon's own log says beside the name of an event."""

import logging

from alonzo.daemon.log_lines import LogFormatter


def shown(**extra):
    record = logging.getLogger("alonzo.x").makeRecord(
        "alonzo.x", logging.WARNING, "f.py", 1, "event.dropped", (), None, extra=extra
    )
    return LogFormatter().format(record).split(" WARNING ")[1]


def test_a_line_tells_what_it_is_about():
    assert shown() == "alonzo.x event.dropped"
    assert shown(request="r-1", tries=3) == "alonzo.x event.dropped request=r-1 tries=3"


def test_a_value_cannot_look_like_another_line_or_member():
    assert shown(reason="a b", name_="x=1") == "alonzo.x event.dropped reason='a b' name_='x=1'"
    assert "\n" not in shown(error="one\ntwo")
    assert shown(error="") == "alonzo.x event.dropped error=''"
