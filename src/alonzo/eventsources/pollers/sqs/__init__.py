"""Queues of Amazon SQS, standard and FIFO."""
