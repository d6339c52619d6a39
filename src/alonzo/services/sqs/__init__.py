"""Amazon SQS: queues, their messages, dead-letter queues and redrive."""
