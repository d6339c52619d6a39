// The life of a log group through the unmodified SDK. Endpoint and credentials come from the
// environment, as for every user. Prints one JSON document of what it saw; the test judges it.
//
//   node logs.mjs GROUP FUNCTION_ARN

import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DescribeSubscriptionFiltersCommand,
  FilterLogEventsCommand,
  GetLogEventsCommand,
  GetQueryResultsCommand,
  MalformedQueryException,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
  PutLogEventsCommand,
  PutRetentionPolicyCommand,
  PutSubscriptionFilterCommand,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  StartLiveTailCommand,
  StartQueryCommand,
} from "@aws-sdk/client-cloudwatch-logs";

const [logGroupName, destinationArn] = process.argv.slice(2);
const client = new CloudWatchLogsClient({});
const seen = {};
const logStreamName = "one";
const group = { logGroupName };

async function errorOf(promise, kind) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.name, isKnown: error instanceof kind };
  }
}

// Looks again and again, until there is something to see.
async function eventually(look) {
  for (let tries = 0; tries < 400; tries += 1) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing came of ${look}`);
}

const put = (...messages) =>
  client.send(
    new PutLogEventsCommand({
      ...group,
      logStreamName,
      logEvents: messages.map((message) => ({ message, timestamp: Date.now() })),
    }),
  );

await client.send(new CreateLogGroupCommand({ ...group, tags: { team: "a" } }));
seen.twice = await errorOf(
  client.send(new CreateLogGroupCommand(group)),
  ResourceAlreadyExistsException,
);
await client.send(new CreateLogStreamCommand({ ...group, logStreamName }));
await client.send(new PutRetentionPolicyCommand({ ...group, retentionInDays: 7 }));
seen.groups = [];
const prefix = { logGroupNamePrefix: logGroupName };
for await (const page of paginateDescribeLogGroups({ client }, prefix)) {
  seen.groups.push(...page.logGroups.map((each) => [each.logGroupName, each.retentionInDays]));
}
const identifier = `arn:aws:logs:us-east-1:000000000000:log-group:${logGroupName}`;

await client.send(
  new PutSubscriptionFilterCommand({
    ...group,
    filterName: "to-function",
    filterPattern: "{ $.level = ERROR }",
    destinationArn,
  }),
);
const { subscriptionFilters } = await client.send(new DescribeSubscriptionFiltersCommand(group));
seen.filters = subscriptionFilters.map((each) => [each.filterName, each.distribution]);

await put(
  '{"level": "INFO", "ms": 3}',
  '{"level": "ERROR", "ms": 5, "text": "schön schlimm"}',
  '{"level": "INFO", "ms": 10}',
);
const events = await client.send(
  new GetLogEventsCommand({ ...group, logStreamName, startFromHead: true }),
);
seen.events = events.events.map(({ message }) => JSON.parse(message).ms);
const filtered = { ...group, filterPattern: "{ $.ms > 4 }" };
seen.filtered = [];
for await (const page of paginateFilterLogEvents({ client, pageSize: 1 }, filtered)) {
  seen.filtered.push(...page.events.map(({ message }) => JSON.parse(message).ms));
}

const startTime = Math.floor(Date.now() / 1000) - 60;
const query = (queryString) =>
  client.send(
    new StartQueryCommand({ ...group, startTime, endTime: startTime + 120, queryString }),
  );
const { queryId } = await query("stats count(*) as n, avg(ms) as mean by level | sort n");
const answer = await eventually(async () => {
  const found = await client.send(new GetQueryResultsCommand({ queryId }));
  return found.status === "Scheduled" || found.status === "Running" ? null : found;
});
seen.query = {
  status: answer.status,
  rows: answer.results.map((row) =>
    Object.fromEntries(row.map(({ field, value }) => [field, value])),
  ),
  matched: answer.statistics.recordsMatched,
};
seen.wrongQuery = await errorOf(query("fields a | nonsense"), MalformedQueryException);

// Live, in a client of its own: outside of functions no name leads to "stream-" and our address.
const live = new CloudWatchLogsClient({ disableHostPrefix: true });
const { responseStream } = await live.send(
  new StartLiveTailCommand({ logGroupIdentifiers: [identifier], logEventFilterPattern: "wanted" }),
);
seen.live = [];
for await (const { sessionStart, sessionUpdate } of responseStream) {
  if (sessionStart) {
    seen.live.push(sessionStart.logGroupIdentifiers);
    await put("wanted", "other");
  } else if (sessionUpdate.sessionResults.length) {
    seen.live.push(sessionUpdate.sessionResults.map(({ message }) => message));
    break;
  }
}
live.destroy();

// What the function was called with is in its own log, by way of the same API.
const calls = {
  logGroupName: `/aws/lambda/${destinationArn.split(":").at(-1)}`,
  filterPattern: "DATA_MESSAGE",
};
seen.pushed = await eventually(async () => {
  try {
    const { events } = await client.send(new FilterLogEventsCommand(calls));
    return events.length ? events.map(({ message }) => JSON.parse(message)) : null;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return null; // It was not called yet.
    throw error;
  }
});
await client.send(new DeleteLogGroupCommand(group));
seen.afterDelete = await errorOf(
  client.send(new DeleteLogGroupCommand(group)),
  ResourceNotFoundException,
);
process.stdout.write(JSON.stringify(seen));
