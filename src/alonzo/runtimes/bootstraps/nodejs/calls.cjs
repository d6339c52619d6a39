/** One call: its context, its handler's run, its one answer. */
'use strict';

const { CHUNK, ERROR, INVOKE, READY, RESPONSE } = require('./channel.cjs');
const { errorDocument, JSONStringifyError, NEVER_SETTLED, NodeJsExit } = require('./faults.cjs');
const { current, logError } = require('./logs.cjs');
const { ResponseStream } = require('./streams.cjs');

/** The longest body of a CHUNK frame. */
const CHUNK_BYTES_MAX = 65536;

const MODERN = parseInt(process.versions.node, 10) >= 24;
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const STREAMING_BUFFER = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

const TRACE_CONTEXT = ['traceparent', 'tracestate', 'baggage'];

/** The members of a handler's context that come from the call and the environment. */
function contextData(header) {
  const clientContext = parseHeader(header.client_context, 'ClientContext');
  const deadline = header.deadline_ms;
  const data = {
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext,
    identity: parseHeader(header.cognito, 'CognitoIdentity'),
    invokedFunctionArn: header.arn,
    awsRequestId: header.id,
    tenantId: header.tenant,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  if (MODERN) {
    data.xRayTraceId = header.trace;
    const fields = takeTraceContext(clientContext);
    data.w3c = () => fields;
  }
  return data;
}

function parseHeader(text, what) {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${what} as json: ${error}`);
  }
}

function takeTraceContext(clientContext) {
  const source = clientContext?.w3c;
  if (source === undefined) return Object.freeze({});
  delete clientContext.w3c;
  const known = TRACE_CONTEXT.filter((key) => typeof source?.[key] === 'string');
  return Object.freeze(Object.fromEntries(known.map((key) => [key, source[key]])));
}

// -------------------------------------------------------------------------------------- invocation

/**
 * What to do at the turns that the process takes by itself. `whenIdle`: once the event loop is empty;
 * null: nothing, and the process ends. `onUncaught`: with an error that nobody caught.
 */
const turns = { whenIdle: null, onUncaught: null };

/** One call: its answer is sent once, whatever the handler does. */
class Invocation {
  constructor(channel, header, next) {
    this.channel = channel;
    this.id = header.id;
    this.next = next;
    this.answered = false;
    this.streams = false;
  }

  /** Send a piece of a response that goes on; `done` runs once it has been taken over. */
  stream(contentType, bytes, done) {
    if (this.answered) {
      done();
      return;
    }
    const header = this.streams ? null : { id: this.id, type: contentType };
    this.streams = true;
    this.sendPieces(header, bytes, 0, done);
  }

  sendPieces(header, bytes, at, done) {
    let taken = true;
    while (taken) {
      if (header === null && at >= bytes.length) {
        done();
        return;
      }
      const end = at + CHUNK_BYTES_MAX;
      let later = false;
      taken = false;
      this.channel.send(CHUNK, header, bytes.subarray(at, end), () => {
        taken = true;
        if (later) this.sendPieces(null, bytes, end, done);
      });
      later = true;
      header = null;
      at = end;
    }
  }

  respond(body) {
    if (this.answered) return;
    this.answered = true;
    this.channel.send(RESPONSE, { id: this.id }, body, this.next);
  }

  succeed(result) {
    if (!this.answered) this.respond(serialise(result));
  }

  /** Answer with the error. With `exit` it is the last word of the process, which that ends. */
  fail(error, exit = null) {
    if (this.answered) {
      exit?.();
      return;
    }
    this.answered = true;
    const document = errorDocument(error);
    const header = { id: this.id, type: document.errorType };
    if (exit !== null) header.last = true;
    this.channel.send(ERROR, header, JSON.stringify(document), exit ?? this.next);
  }

  /** Log the error as the handler's, then answer with it. */
  reject(error) {
    if (this.answered) return;
    logError('Invoke Error', error);
    this.fail(error);
  }
}

function serialise(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? 'null';
  } catch {
    const kind = MODERN ? JSONStringifyError : Error;
    throw new kind('Unable to stringify response body');
  }
}

const isPromise = (value) => typeof value?.then === 'function';
const afterThisTurn = () => new Promise((resolve) => setImmediate(resolve));

/** nodejs24.x and later: the handler's value, awaited, is the answer. */
async function runModern(handler, event, header, call) {
  turns.whenIdle = () => call.reject(new NodeJsExit(NEVER_SETTLED));
  try {
    const result = await handler(JSON.parse(event), contextData(header));
    // Rejections that the handler has left behind are reported before its answer.
    await afterThisTurn();
    call.succeed(result);
  } catch (error) {
    await afterThisTurn();
    call.reject(error);
  }
}

/** Up to nodejs22.x: a promise, a callback, or one of the context's three functions. */
function runClassic(handler, event, header, call) {
  let waits = true;
  let settled = false;
  const once = (act) => (...values) => {
    if (settled) return;
    settled = true;
    turns.whenIdle = null;
    try {
      act(...values);
    } catch (error) {
      settled = false;
      throw error;
    }
  };
  const done = (error, result) => (error == null ? call.succeed(result) : call.reject(error));
  const callback = once((error, result) => {
    if (error != null || !waits) done(error, result);
    else turns.whenIdle = () => setImmediate(() => call.succeed(result));
  });
  const context = {
    get callbackWaitsForEmptyEventLoop() { return waits; },
    set callbackWaitsForEmptyEventLoop(value) { waits = value; },
    succeed: once((result) => done(null, result)),
    fail: once((error) => done(error ?? 'handled')),
    done: once(done),
  };
  const isAsync = handler.constructor?.name === 'AsyncFunction';
  turns.whenIdle = () => {
    settled = true;
    if (isAsync) call.reject(new NodeJsExit(NEVER_SETTLED));
    else call.succeed(null);
  };
  try {
    const result = handler(JSON.parse(event), Object.assign(context, contextData(header)), callback);
    if (isPromise(result)) result.then(context.succeed, context.fail).catch(context.fail);
  } catch (error) {
    callback(error);
  }
}

/** A handler that streams: what it writes goes out as it is written. */
async function runStreaming(handler, event, header, call) {
  const stream = new ResponseStream(call, handler[STREAMING_BUFFER]);
  const finished = new Promise((resolve, reject) => {
    stream.once('finish', resolve);
    stream.once('error', reject);
  });
  finished.catch(() => {});
  turns.whenIdle = () => call.reject(new Error('Response stream is not finished.'));
  try {
    const running = handler(JSON.parse(event), stream, contextData(header));
    if (!isPromise(running)) throw new Error('Streaming does not support non-async handlers.');
    if ((await running) !== undefined) console.warn('Streaming handlers ignore return values.');
    await finished;
    call.respond('');
  } catch (error) {
    await afterThisTurn();
    call.reject(error);
  }
}

/** Say that init is done, and run call after call. */
function serve(channel, handler) {
  const run = handler[STREAMING] ? runStreaming : MODERN ? runModern : runClassic;
  const next = () => {
    turns.whenIdle = null;
    channel.next(INVOKE, onCall);
  };
  function onCall(header, event) {
    current.requestId = header.id;
    current.tenantId = header.tenant;
    if (header.trace === undefined) delete process.env._X_AMZN_TRACE_ID;
    else process.env._X_AMZN_TRACE_ID = header.trace;
    const call = new Invocation(channel, header, next);
    turns.onUncaught = (error, status) => call.fail(error, () => process.exit(status));
    run(handler, event, header, call);
  }
  channel.send(READY, null, '', next);
}

module.exports = { afterThisTurn, MODERN, serve, STREAMING, STREAMING_BUFFER, turns };
