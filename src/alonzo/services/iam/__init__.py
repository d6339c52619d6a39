"""Identity: access keys and sessions of roles. No IAM operation is offered yet."""
