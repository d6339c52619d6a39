// The life of a function through the unmodified SDK. Endpoint and credentials come from the
// environment, as for every user. Prints one JSON document of what it saw; the test judges it.
//
//   node tour.mjs NAME RUNTIME PACKAGE.zip

import { readFile } from "node:fs/promises";
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  LambdaClient,
  paginateListFunctions,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";

const [name, runtime, packageFile] = process.argv.slice(2);
const client = new LambdaClient({});
const wait = { client, maxWaitTime: 30, minDelay: 0.05, maxDelay: 0.2 };

async function invoke(event) {
  const answer = await client.send(
    new InvokeCommand({
      FunctionName: name,
      Payload: JSON.stringify(event),
      LogType: "Tail",
    }),
  );
  return {
    status: answer.StatusCode,
    payload: JSON.parse(Buffer.from(answer.Payload).toString()),
    error: answer.FunctionError ?? null,
    version: answer.ExecutedVersion,
    log: Buffer.from(answer.LogResult, "base64").toString(),
  };
}

async function errorNameOf(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.name, status: error.$metadata?.httpStatusCode };
  }
}

const seen = {};
const created = await client.send(
  new CreateFunctionCommand({
    FunctionName: name,
    Runtime: runtime,
    Handler: "handler.handler",
    Role: "arn:aws:iam::000000000000:role/test",
    Code: { ZipFile: await readFile(packageFile) },
  }),
);
seen.arn = created.FunctionArn;
await waitUntilFunctionActiveV2(wait, { FunctionName: name });
seen.first = await invoke({ n: 1 });
seen.second = await invoke({ n: 2 });
const answer = await client.send(
  new InvokeWithResponseStreamCommand({ FunctionName: name, Payload: JSON.stringify({ n: 3 }) }),
);
seen.streamed = { body: "", ends: 0 };
for await (const event of answer.EventStream) {
  if (event.PayloadChunk) seen.streamed.body += Buffer.from(event.PayloadChunk.Payload);
  if (event.InvokeComplete) seen.streamed.ends += 1;
}

await client.send(
  new UpdateFunctionConfigurationCommand({ FunctionName: name, Description: "changed" }),
);
await waitUntilFunctionUpdatedV2(wait, { FunctionName: name });
const configuration = new GetFunctionConfigurationCommand({ FunctionName: name });
seen.description = (await client.send(configuration)).Description;

seen.listed = false;
for await (const page of paginateListFunctions({ client, pageSize: 1 }, {})) {
  seen.listed ||= page.Functions.some((entry) => entry.FunctionName === name);
}

await client.send(new DeleteFunctionCommand({ FunctionName: name }));
seen.afterDelete = await errorNameOf(client.send(configuration));
process.stdout.write(JSON.stringify(seen));
