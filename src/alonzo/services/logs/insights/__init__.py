"""Logs Insights: queries over stored events, in a useful part of the language.

    fields @timestamp, @message | filter @message like /ERROR/ | stats count(*) by bin(5m)

| File | What |
|---|---|
| ``scanner.py`` | the cursor over a query's text, and its errors |
| ``expressions.py`` | conditions, arithmetic and functions |
| ``functions.py`` | the functions of expressions |
| ``regexes.py`` | regular expressions in linear time |
| ``rows.py`` | events as rows with the fields that are found in them |
| ``aggregates.py`` | what ``stats`` adds up |
| ``commands.py`` | the commands: what each does with the rows that come by |
| ``parser.py`` | a query's text to its commands |
| ``bounds.py`` | what one query may take of time and memory |
| ``run.py`` | one run of a query over pages of events |
| ``desk.py`` | the operations, and the running of queries |
| ``archive.py`` | queries and their results in the store |
| ``definitions.py`` | queries that are kept under names |
| ``records.py`` | one event by the pointer of a row |

Source: CloudWatch Logs user guide, Logs Insights QL.
"""
