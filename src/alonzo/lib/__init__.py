"""Clock, ids, task supervision, fault points: what needs nothing of ours."""
