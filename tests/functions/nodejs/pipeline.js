const { Readable } = require('stream');
const { pipeline } = require('stream/promises');

function* source(event) {
  for (let n = 0; n < event.n; n += 1) yield 'x'.repeat(100000);
  if (event.fail) throw new Error(event.fail);
}

exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const head = { statusCode: 200, cookies: ['a=1'] };
  await pipeline(Readable.from(source(event)), awslambda.HttpResponseStream.from(stream, head));
}, { highWaterMark: 1000 });
