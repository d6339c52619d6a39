exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.metadata) stream = awslambda.HttpResponseStream.from(stream, event.metadata);
  else stream.setContentType('text/plain');
  for (const chunk of event.chunks) stream.write(chunk);
  if (event.fail) throw new Error(event.fail);
  if (!event.open) stream.end('.');
});
