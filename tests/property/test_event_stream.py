"""Our frames of an event stream, read by botocore's decoder."""

import itertools
import json

import orjson
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from alonzo.edge.invoke_stream import invoke_complete, payload_chunk
from alonzo.edge.protocols.event_stream import encode_frame
from alonzo.model.invocations import InvokeResult

values = st.one_of(st.binary(max_size=200), st.text(max_size=50), st.booleans(),
                   st.integers(-(1 << 31), (1 << 31) - 1))  # fmt: skip
names = st.text(st.characters(codec="ascii"), min_size=1, max_size=40)


def decoded(data, cuts=()):
    """The events that botocore finds in the bytes, which arrive cut at those places."""
    buffer = EventStreamBuffer()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    events = []
    for start, end in itertools.pairwise(edges):
        buffer.add_data(data[start:end])
        events += list(buffer)
    return events


@given(st.lists(st.tuples(st.dictionaries(names, values, max_size=4), st.binary(max_size=500)),
                max_size=4), st.lists(st.integers(0, 1 << 16), max_size=5))  # fmt: skip
def test_botocore_reads_every_frame_however_it_is_cut(frames, cuts):
    data = b"".join(encode_frame(headers, payload) for headers, payload in frames)
    assert [(event.headers, event.payload) for event in decoded(data, cuts)] == frames


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.binary(max_size=80),
       st.sampled_from([None, "Unhandled"]), st.none() | st.binary(max_size=40))  # fmt: skip
def test_a_response_is_its_chunks_and_one_end(pieces, payload, error, log_tail):
    result = InvokeResult(200, payload, function_error=error, log_tail=log_tail)
    data = b"".join(map(payload_chunk, pieces)) + invoke_complete(result)
    *chunks, last = decoded(data)
    assert [chunk.payload for chunk in chunks] == pieces
    assert {chunk.headers[":event-type"] for chunk in chunks} <= {"PayloadChunk"}
    assert last.headers[":event-type"] == "InvokeComplete"
    document = json.loads(last.payload)
    assert document["ErrorCode"] == error
    assert (document["ErrorDetails"] is None) == (error is None)
    assert orjson.loads(last.payload) == document
