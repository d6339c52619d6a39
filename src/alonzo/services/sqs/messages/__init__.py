"""The messages of SQS: sending, receiving, deleting, visibility, dead letters, retention.

``core.Messages`` has what the queues' half needs (counts, purge, moves, ``run``), and
``api.operations`` the seven operations on messages.
"""
