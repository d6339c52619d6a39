"""Logs at every level, with an extra attribute and with an exception."""

import logging

log = logging.getLogger("shop")


def handler(event, context):
    if event.get("level"):
        logging.getLogger().setLevel(event["level"])
    log.debug("debug %s", 1)
    log.info("info", extra={"order": 7})
    log.warning("two\nlines")
    try:
        raise KeyError("lost")
    except KeyError:
        log.exception("failed")
    log.critical({"structured": True})
    context.log("raw\n")
