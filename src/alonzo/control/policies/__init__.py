"""Resource-based policies as data: rendered, checked and kept. Nothing here evaluates one.

``documents`` renders statements as AWS does, ``rules`` decides, ``records`` is the store of the
policies of functions. Layer versions keep theirs in their own rows.
"""
