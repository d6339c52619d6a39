"""IAM policies: what a document says, and whether a request may pass. Pure, no I/O, no clock.

| File | What it knows |
|---|---|
| ``grammar.py`` | reading a document; AWS's texts for one that is none |
| ``patterns.py`` | wildcards and policy variables |
| ``arn_patterns.py`` | the same for ARNs, part by part |
| ``operators.py``, ``conditions.py`` | the ``Condition`` element |
| ``principals.py`` | who asks, and the ``Principal`` element |
| ``compiled.py`` | a document made ready to be asked many times |
| ``evaluation.py`` | all policies of a request together: the decision |
| ``denials.py`` | the text of a refusal |

    policy = compile_policy(document)                      # once; raises PolicyError
    request = Request("lambda:InvokeFunctionUrl", function_arn, caller, account, context)
    decision = evaluate(request, Policies(resource=policy))
    if not decision.allowed:
        raise access_denied(denial(request, decision))

Source: IAM user guide, "IAM JSON policy elements reference" and "Policy evaluation logic".
"""
