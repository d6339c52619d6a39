"""Whatever is sent as the name of a queue or a task, it names one or is refused."""

import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.sqs.handles import read_task_handle, task_handle
from alonzo.services.sqs.names import key_of_arn, key_of_url
from alonzo.services.sqs.redrive import read_redrive, read_redrive_allow

ACCOUNT = "123456789012"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
CONTEXT = RequestContext("r", ACCOUNT, "eu-west-1", ROOT, "http://h:1", "127.0.0.1")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["deadLetterTargetArn", "maxReceiveCount", "redrivePermission", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@given(st.text(max_size=60) | st.from_regex(r"https?://[a-z.:0-9]*/[0-9]{12}/[a-z.]*"))
def test_any_text_is_a_url_or_refused(text):
    with suppress(AwsError):
        key = key_of_url(CONTEXT, text)
        assert key_of_arn(key.arn) == key


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_task_handle_says_what_was_put_in(task_id, arn):
    assert read_task_handle(task_handle(task_id, arn)) == (task_id, arn)


@given(st.text(max_size=40) | st.binary(max_size=40).map(bytes.hex))
def test_any_text_is_a_task_handle_or_refused(text):
    with suppress(AwsError):
        read_task_handle(text)


@given(st.text(max_size=40) | JSON.map(json.dumps))
def test_any_text_is_a_redrive_policy_or_refused(text):
    for read in (read_redrive, read_redrive_allow):
        with suppress(AwsError):
            meant, canonical = read(text)
            assert read(canonical) == (meant, canonical)
