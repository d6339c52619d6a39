exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  stream.setContentType('text/plain');
  stream.write(`Hello, ${event.name}. `);
  await new Promise((resolve) => { setTimeout(resolve, 10); });
  if (event.fail) throw new RangeError(event.fail);
  stream.end(context.awsRequestId);
});
