"""AWS Signature Version 4, checked: canonical forms, the verdict, signed chunks, refusals."""
