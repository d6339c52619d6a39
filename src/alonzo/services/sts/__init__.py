"""AWS Security Token Service, as far as its callers need to know who they are."""
