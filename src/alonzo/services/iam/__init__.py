"""AWS IAM: identities, their keys and policies, and the decision on every request."""
