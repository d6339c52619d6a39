/** One call: its context, its handler's run, its one answer. */
'use strict';

const { Writable } = require('stream');
const {
  errorDocument, InvalidStreamingOperation, JSONStringifyError, NEVER_SETTLED, NodeJsExit,
} = require('./faults.cjs');
const { current, logError } = require('./logs.cjs');

const { ERROR, INVOKE, READY, RESPONSE } = require('./channel.cjs');

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

/** A handler that streams. What it writes is collected, and is the answer once it has ended. */
async function runStreaming(handler, event, header, call) {
  const stream = collectingStream(handler[STREAMING_BUFFER]);
  turns.whenIdle = () => call.reject(new Error('Response stream is not finished.'));
  try {
    const running = handler(JSON.parse(event), stream, contextData(header));
    if (!isPromise(running)) throw new Error('Streaming does not support non-async handlers.');
    if ((await running) !== undefined) console.warn('Streaming handlers ignore return values.');
    call.respond(await stream.collected);
  } catch (error) {
    await afterThisTurn();
    call.reject(error);
  }
}

function collectingStream(highWaterMark) {
  const chunks = [];
  let started = false;
  const stream = new Writable({
    highWaterMark,
    write(chunk, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...rest) => {
    if (!started) {
      started = true;
      stream._onBeforeFirstWrite?.((first) => write(first));
    }
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return write(plain ? chunk : JSON.stringify(chunk), ...rest);
  };
  const end = stream.end.bind(stream);
  stream.end = (chunk, ...rest) => {
    if (typeof chunk === 'function') return end(chunk);
    if (chunk !== undefined && chunk !== null) stream.write(chunk);
    return end(...rest.filter((value) => typeof value === 'function'));
  };
  stream.setContentType = () => {
    if (started) throw new InvalidStreamingOperation('Cannot set content-type, too late.');
  };
  stream.collected = new Promise((resolve, reject) => {
    stream.once('finish', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
  });
  stream.collected.catch(() => {});
  return stream;
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
