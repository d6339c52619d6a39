"""Amazon EventBridge Scheduler: schedules, their groups, and what fires them."""
