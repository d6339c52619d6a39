"""What an XML document may take, however short its bytes are."""

import pytest

from alonzo.edge.protocols.malformed import Malformed
from alonzo.edge.protocols.xml import NODES_MAX, parse_xml


def test_a_document_may_have_so_many_elements_and_no_more():
    assert len(parse_xml(b"<a>" + b"<b/>" * (NODES_MAX - 1) + b"</a>").children) == NODES_MAX - 1
    with pytest.raises(Malformed, match="too many"):
        parse_xml(b"<a>" + b"<b/>" * NODES_MAX + b"</a>")


def test_attributes_count_as_elements_do():
    attributes = b" ".join(b'a%d=""' % number for number in range(NODES_MAX))
    with pytest.raises(Malformed, match="too many"):
        parse_xml(b"<a " + attributes + b"/>")
