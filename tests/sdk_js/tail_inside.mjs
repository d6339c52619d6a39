// A function that tails its own log group through the unmodified SDK, with no setting at all.

import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  PutLogEventsCommand,
  StartLiveTailCommand,
} from "@aws-sdk/client-cloudwatch-logs";

const client = new CloudWatchLogsClient({});

export async function handler({ group: logGroupName }, { invokedFunctionArn }) {
  const logStreamName = "one";
  await client.send(new CreateLogGroupCommand({ logGroupName }));
  await client.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
  const [, , , region, account] = invokedFunctionArn.split(":");
  const arn = `arn:aws:logs:${region}:${account}:log-group:${logGroupName}`;
  const tail = new StartLiveTailCommand({ logGroupIdentifiers: [arn] });
  const hosts = [];
  tail.middlewareStack.add(
    (next) => (args) => {
      hosts.push(args.request.hostname);
      return next(args);
    },
    { step: "finalizeRequest", priority: "low" },
  );
  const { responseStream } = await client.send(tail);
  for await (const { sessionStart, sessionUpdate } of responseStream) {
    if (sessionStart) {
      const logEvents = [{ timestamp: Date.now(), message: "said live" }];
      await client.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents }));
    } else if (sessionUpdate.sessionResults.length) {
      await client.send(new DeleteLogGroupCommand({ logGroupName }));
      return { hosts, seen: sessionUpdate.sessionResults.map(({ message }) => message) };
    }
  }
  throw new Error("the session ended");
}
