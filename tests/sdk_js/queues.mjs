// The life of a queue through the unmodified SDK. Endpoint and credentials come from the
// environment, as for every user. Prints one JSON document of what it saw; the test judges it.
//
//   node queues.mjs NAME

import {
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  paginateListQueues,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";

const [name] = process.argv.slice(2);
const client = new SQSClient({});
const seen = {};

const { QueueUrl } = await client.send(
  new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: "60" } }),
);
const named = await client.send(new GetQueueUrlCommand({ QueueName: name }));
seen.sameUrl = named.QueueUrl === QueueUrl;
const { Attributes } = await client.send(
  new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
);
seen.arn = Attributes.QueueArn;

// The SDK checks the digests of bodies by itself.
await client.send(
  new SendMessageCommand({
    QueueUrl,
    MessageBody: "héllo",
    MessageAttributes: {
      text: { DataType: "String", StringValue: "t" },
      bytes: { DataType: "Binary", BinaryValue: Uint8Array.from([1, 2]) },
    },
  }),
);
const batch = await client.send(
  new SendMessageBatchCommand({
    QueueUrl,
    Entries: ["a", "b"].map((Id) => ({ Id, MessageBody: Id })),
  }),
);
seen.sent = batch.Successful.length;
seen.bodies = [];
while (seen.bodies.length < 3) {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 5,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["ApproximateReceiveCount"],
    }),
  );
  for (const message of Messages) {
    seen.bodies.push(message.Body);
    if (message.MessageAttributes) {
      seen.bytes = [...message.MessageAttributes.bytes.BinaryValue];
    }
    await client.send(
      new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }),
    );
  }
}
seen.listed = [];
for await (const page of paginateListQueues({ client, pageSize: 1 }, { QueueNamePrefix: name })) {
  seen.listed.push(...page.QueueUrls.map((url) => url === QueueUrl));
}
await client.send(new DeleteQueueCommand({ QueueUrl }));
try {
  await client.send(new GetQueueUrlCommand({ QueueName: name }));
} catch (error) {
  seen.afterDelete = {
    isKnown: error instanceof QueueDoesNotExist,
    code: error.Error?.Code ?? error.name,
  };
}
seen.none = (await client.send(new ListQueuesCommand({ QueueNamePrefix: name }))).QueueUrls ?? null;
console.log(JSON.stringify(seen));
