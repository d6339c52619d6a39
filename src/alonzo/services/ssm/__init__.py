"""AWS Systems Manager, as far as functions lean on it: Parameter Store."""
