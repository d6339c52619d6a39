"""The operations on messages, by name."""

from __future__ import annotations

from alonzo.model.ports.operations import Operations
from alonzo.services.sqs.messages.acknowledging import AcknowledgingOperations
from alonzo.services.sqs.messages.core import Messages
from alonzo.services.sqs.messages.receiving import ReceivingOperations
from alonzo.services.sqs.messages.sending import SendingOperations


def operations(messages: Messages) -> Operations:
    """The operations on the messages of all queues."""
    sending, receiving = SendingOperations(messages), ReceivingOperations(messages)
    acknowledging = AcknowledgingOperations(messages)
    return {
        "ChangeMessageVisibility": acknowledging.change_message_visibility,
        "ChangeMessageVisibilityBatch": acknowledging.change_message_visibility_batch,
        "DeleteMessage": acknowledging.delete_message,
        "DeleteMessageBatch": acknowledging.delete_message_batch,
        "ReceiveMessage": receiving.receive_message,
        "SendMessage": sending.send_message,
        "SendMessageBatch": sending.send_message_batch,
    }
