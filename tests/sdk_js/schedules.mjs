// The life of schedules and their group through the unmodified SDK. Endpoint and credentials come
// from the environment, as for every user. Prints one JSON document of what it saw; the test judges
// it.
//
//   node schedules.mjs NAME QUEUE_URL QUEUE_ARN ROLE_ARN

import {
  ConflictException,
  CreateScheduleCommand,
  CreateScheduleGroupCommand,
  DeleteScheduleCommand,
  DeleteScheduleGroupCommand,
  GetScheduleCommand,
  paginateListSchedules,
  ResourceNotFoundException,
  SchedulerClient,
  UpdateScheduleCommand,
  ValidationException,
} from "@aws-sdk/client-scheduler";
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const [GroupName, QueueUrl, Arn, RoleArn] = process.argv.slice(2);
const client = new SchedulerClient({});
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

const Target = { Arn, RoleArn, Input: '{"at": "<aws.scheduler.scheduled-time>"}' };
const FlexibleTimeWindow = { Mode: "OFF" };
const create = (Name, ScheduleExpression, more) =>
  client.send(
    new CreateScheduleCommand({
      Name,
      GroupName,
      ScheduleExpression,
      FlexibleTimeWindow,
      Target,
      ...more,
    }),
  );

const { ScheduleGroupArn } = await client.send(
  new CreateScheduleGroupCommand({ Name: GroupName, Tags: [{ Key: "team", Value: "a" }] }),
);
seen.group = ScheduleGroupArn;
seen.groupTwice = await errorOf(
  client.send(new CreateScheduleGroupCommand({ Name: GroupName })),
  ConflictException,
);

// Once, two seconds from now, and gone after that.
const at = new Date(Math.ceil(Date.now() / 1000 + 1.5) * 1000).toISOString().slice(0, 19);
const once = await create("once", `at(${at})`, { ActionAfterCompletion: "DELETE" });
seen.once = once.ScheduleArn;
const StartDate = new Date("2100-01-02T03:04:05Z");
await create("often", "rate(1 hour)", { StartDate, State: "DISABLED" });
seen.twice = await errorOf(create("often", "rate(2 hours)"), ConflictException);
seen.wrong = await errorOf(create("wrong", "rate(0 hours)"), ValidationException);

const often = { Name: "often", GroupName };
const got = await client.send(new GetScheduleCommand(often));
seen.often = {
  start: got.StartDate.toISOString(),
  madeToday: Math.abs(Date.now() - got.CreationDate) < 3_600_000,
  state: got.State,
  after: got.ActionAfterCompletion,
  target: got.Target.Arn === Arn,
  expression: got.ScheduleExpression,
  zone: got.ScheduleExpressionTimezone,
};
await client.send(
  new UpdateScheduleCommand({
    ...often,
    ScheduleExpression: "cron(0 9 ? * MON-FRI *)",
    ScheduleExpressionTimezone: "Europe/Berlin",
    FlexibleTimeWindow: { Mode: "FLEXIBLE", MaximumWindowInMinutes: 15 },
    Target,
  }),
);
const { ScheduleExpressionTimezone, State, StartDate: start } = await client.send(
  new GetScheduleCommand(often),
);
seen.updated = { zone: ScheduleExpressionTimezone, state: State, start: start ?? null };

for (let tries = 0; !seen.received && tries < 10; tries += 1) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }),
  );
  seen.received = Messages[0] && JSON.parse(Messages[0].Body);
}
seen.onTime = seen.received?.at === `${at}Z`;
delete seen.received;

seen.listed = [];
for await (const page of paginateListSchedules({ client, pageSize: 1 }, { GroupName })) {
  seen.listed.push(...page.Schedules.map(({ Name }) => Name).filter((each) => each !== "once"));
}
await client.send(new DeleteScheduleCommand(often));
seen.afterDelete = await errorOf(
  client.send(new GetScheduleCommand(often)),
  ResourceNotFoundException,
);
await client.send(new DeleteScheduleGroupCommand({ Name: GroupName }));
process.stdout.write(JSON.stringify(seen));
