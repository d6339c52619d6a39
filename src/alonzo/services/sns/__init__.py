"""Amazon SNS: topics, subscriptions, and the durable way of messages to them."""
