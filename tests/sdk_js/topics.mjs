// The life of a topic through the unmodified SDK. Endpoint and credentials come from the
// environment, as for every user. Prints one JSON document of what it saw; the test judges it.
//
//   node topics.mjs NAME QUEUE_ARN

import {
  CreateTopicCommand,
  DeleteTopicCommand,
  GetTopicAttributesCommand,
  ListSubscriptionsByTopicCommand,
  NotFoundException,
  paginateListTopics,
  PublishBatchCommand,
  PublishCommand,
  SNSClient,
  SubscribeCommand,
} from "@aws-sdk/client-sns";

const [name, queueArn] = process.argv.slice(2);
const client = new SNSClient({});
const seen = {};

const { TopicArn } = await client.send(new CreateTopicCommand({ Name: name }));
seen.arn = TopicArn;
const { SubscriptionArn } = await client.send(
  new SubscribeCommand({
    TopicArn,
    Protocol: "sqs",
    Endpoint: queueArn,
    Attributes: { FilterPolicy: '{"kind": ["wanted"]}', RawMessageDelivery: "true" },
  }),
);
const { Subscriptions } = await client.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
seen.subscribed = Subscriptions.map((each) => each.SubscriptionArn === SubscriptionArn);

const kind = (StringValue) => ({ kind: { DataType: "String", StringValue } });
for (const text of ["wanted", "not"]) {
  await client.send(
    new PublishCommand({ TopicArn, Message: `héllo ${text}`, MessageAttributes: kind(text) }),
  );
}
const batch = await client.send(
  new PublishBatchCommand({
    TopicArn,
    PublishBatchRequestEntries: [
      { Id: "a", Message: "a", MessageAttributes: kind("wanted") },
      { Id: "b", Message: "b", Subject: "two\nlines" },
    ],
  }),
);
seen.batch = [batch.Successful.map((each) => each.Id), batch.Failed.map((each) => each.Id)];

seen.listed = false;
for await (const page of paginateListTopics({ client }, {})) {
  seen.listed ||= page.Topics.some((each) => each.TopicArn === TopicArn);
}
const other = (await client.send(new CreateTopicCommand({ Name: `${name}-2` }))).TopicArn;
await client.send(new DeleteTopicCommand({ TopicArn: other }));
try {
  await client.send(new GetTopicAttributesCommand({ TopicArn: other }));
} catch (error) {
  seen.afterDelete = { isKnown: error instanceof NotFoundException, text: error.message };
}
process.stdout.write(JSON.stringify(seen));
