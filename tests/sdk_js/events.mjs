// The life of a bus, a rule and its targets through the unmodified SDK. Endpoint and credentials
// come from the environment, as for every user. Prints one JSON document of what it saw; the test
// judges it.
//
//   node events.mjs NAME QUEUE_URL QUEUE_ARN

import {
  CreateEventBusCommand,
  DeleteEventBusCommand,
  DeleteRuleCommand,
  DescribeRuleCommand,
  DisableRuleCommand,
  EventBridgeClient,
  ListTargetsByRuleCommand,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  TestEventPatternCommand,
} from "@aws-sdk/client-eventbridge";
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const [name, QueueUrl, Arn] = process.argv.slice(2);
const client = new EventBridgeClient({});
const sqs = new SQSClient({});
const seen = {};

async function errorOf(promise, kind) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.name, isKnown: error instanceof kind };
  }
}

async function receive(wanted) {
  const bodies = [];
  for (let tries = 0; bodies.length < wanted && tries < 10; tries += 1) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5 }),
    );
    for (const { Body, ReceiptHandle } of Messages) {
      bodies.push(JSON.parse(Body));
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    }
  }
  return bodies;
}

const { EventBusArn } = await client.send(new CreateEventBusCommand({ Name: name }));
seen.bus = EventBusArn;
seen.twice = await errorOf(
  client.send(new CreateEventBusCommand({ Name: name })),
  ResourceAlreadyExistsException,
);
const EventPattern = JSON.stringify({
  source: ["shop"],
  detail: { total: [{ numeric: [">=", 10] }] },
});
const rule = { Name: name, EventBusName: name };
const { RuleArn } = await client.send(new PutRuleCommand({ ...rule, EventPattern }));
seen.rule = RuleArn;
const targets = await client.send(
  new PutTargetsCommand({
    Rule: name,
    EventBusName: name,
    Targets: [
      { Id: "whole", Arn },
      {
        Id: "shaped",
        Arn,
        InputTransformer: {
          InputPathsMap: { total: "$.detail.total", kind: "$.detail-type" },
          InputTemplate: '{"is": "<kind>", "costs": <total>}',
        },
      },
    ],
  }),
);
seen.failedTargets = targets.FailedEntryCount;
const listed = await client.send(
  new ListTargetsByRuleCommand({ Rule: name, EventBusName: name }),
);
seen.targets = listed.Targets.map(({ Id }) => Id).sort();

const entry = (total) => ({
  EventBusName: name,
  Source: "shop",
  DetailType: "örder",
  Detail: JSON.stringify({ total }),
  Resources: ["arn:aws:shop:::order/1"],
  Time: new Date("2026-01-02T03:04:05Z"),
});
const put = await client.send(
  new PutEventsCommand({
    Entries: [entry(12), entry(3), { Source: "shop", DetailType: "bad", Detail: "no JSON" }],
  }),
);
seen.put = {
  failed: put.FailedEntryCount,
  codes: put.Entries.map(({ ErrorCode }) => ErrorCode ?? null),
};
const events = await receive(2);
const whole = events.find((each) => each.detail);
seen.shaped = events.find((each) => !each.detail);
seen.sameId = whole.id === put.Entries[0].EventId;
delete whole.id;
seen.whole = whole;

const event = { ...whole, id: "1", account: "1" };
seen.pattern = (
  await client.send(new TestEventPatternCommand({ EventPattern, Event: JSON.stringify(event) }))
).Result;
await client.send(new DisableRuleCommand(rule));
seen.state = (await client.send(new DescribeRuleCommand(rule))).State;
await client.send(
  new RemoveTargetsCommand({ Rule: name, EventBusName: name, Ids: ["whole", "shaped"] }),
);
await client.send(new DeleteRuleCommand(rule));
seen.afterDelete = await errorOf(
  client.send(new DescribeRuleCommand(rule)),
  ResourceNotFoundException,
);
await client.send(new DeleteEventBusCommand({ Name: name }));
process.stdout.write(JSON.stringify(seen));
