"""What a request for S3 is judged by."""

from alonzo.services.s3.access import access_rules
from alonzo.services.s3.objects.deleting import KEYS_MAX


class NoBuckets:
    def try_find_nowait(self, name):
        return None


def test_a_list_that_is_too_long_to_be_served_is_not_judged_to_its_end():
    judge = access_rules(NoBuckets())["DeleteObjects"]
    listed = [{"Key": str(number)} for number in range(KEYS_MAX)]
    whole = judge(None, {"Bucket": "b", "Delete": {"Objects": listed}})
    assert [each.resource for each in whole] == [f"arn:aws:s3:::b/{n}" for n in range(KEYS_MAX)]
    longer = judge(None, {"Bucket": "b", "Delete": {"Objects": listed * 50}})
    assert KEYS_MAX < len(longer) < KEYS_MAX + 10
