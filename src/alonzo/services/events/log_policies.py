"""The policy by which log groups let rules in. Implements ``ports.ResourcePolicies`` for them.

On AWS the console writes such a policy when a rule gets a log group as its target. Log groups have
no policies here that anybody could write, so the one for groups of events is always there: rules of
the same account may write to ``/aws/events/``. For other groups a target needs a role.
"""

from __future__ import annotations

from functools import lru_cache

from alonzo.lib.policies.compiled import Policy, compile_policy
from alonzo.services.events.target_checks import EVENT_LOG_GROUPS, SERVICE


class LogGroupPolicies:
    """Answers the policy of log groups of events."""

    #: It never changes.
    generation = 0

    async def find(self, arn: str) -> Policy | None:
        """The policy of a log group or of a stream in it; other groups have none."""
        _, _, _, _, account, rest = arn.split(":", 5)
        return _policy(account) if rest.startswith(f"log-group:{EVENT_LOG_GROUPS}") else None


@lru_cache(maxsize=256)
def _policy(account: str) -> Policy:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"arn:aws:logs:*:{account}:log-group:{EVENT_LOG_GROUPS}*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return compile_policy({"Version": "2012-10-17", "Statement": statement}, "log groups of events")
