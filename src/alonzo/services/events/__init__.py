"""Amazon EventBridge: buses, rules with patterns and schedules, targets, archives and replays."""
