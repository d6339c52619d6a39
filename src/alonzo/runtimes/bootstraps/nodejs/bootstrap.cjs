/**
 * Runs a Node.js handler: calls arrive as frames on descriptor 3, results leave the same way.
 *
 * One source for Node.js 18 and later, no packages. CommonJS, because Node.js starts it some
 * milliseconds sooner; handlers may be either kind of module. The frames are described in
 * `runtimes/framing.py`; the behaviour is that of AWS's own client: the older one (callbacks, waiting for
 * an empty event loop) up to nodejs22.x, the newer one (async handlers only) from nodejs24.x on.
 */
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');

const CHANNEL_FD = 3;
const READY = 16, RESPONSE = 17, ERROR = 18, INIT_ERROR = 19;
const MODERN = parseInt(process.versions.node, 10) >= 24;

// ------------------------------------------------------------------------------------ the channel

/** The socket to the daemon. It keeps the process alive only while it waits for a call. */
class Channel {
  constructor(fd) {
    this.fd = fd;
    this.pending = null; // a frame that is not whole yet, of which `have` bytes are there
    this.have = 0;
    this.stub = null; // less than a frame's length field
    this.onCall = null;
    this.socket = new net.Socket({
      fd,
      readable: true,
      writable: true,
      onread: { buffer: Buffer.allocUnsafeSlow(65536), callback: this.onBytes.bind(this) },
    });
    this.socket.on('close', () => process.exit(0));
    this.socket.on('error', () => process.exit(0));
    this.socket.resume();
    this.socket.unref();
  }

  /** Ask for the next call; `onCall(header, eventText)` follows once. */
  next(onCall) {
    this.onCall = onCall;
    this.socket.ref();
  }

  onBytes(length, chunk) {
    let bytes = chunk.subarray(0, length);
    if (this.pending !== null) {
      bytes.copy(this.pending, this.have);
      this.have += length;
      if (this.have < this.pending.length) return true;
      bytes = this.pending;
      this.pending = null;
    } else {
      if (this.stub !== null) bytes = Buffer.concat([this.stub, bytes]);
      this.stub = bytes.length < 4 ? Buffer.from(bytes) : null;
      if (this.stub !== null) return true;
      const total = 4 + bytes.readUInt32BE(0);
      if (bytes.length < total) {
        this.pending = Buffer.allocUnsafeSlow(total);
        this.have = bytes.copy(this.pending);
        return true;
      }
    }
    const bodyAt = 7 + bytes.readUInt16BE(5);
    const header = JSON.parse(bytes.toString('utf8', 7, bodyAt));
    const event = bytes.toString('utf8', bodyAt);
    const onCall = this.onCall;
    this.onCall = null;
    this.socket.unref();
    onCall(header, event);
    return true;
  }

  /** Write one frame; `done` runs once all of it has been taken over by the kernel. */
  send(kind, header, body, done) {
    const head = header === null ? '' : JSON.stringify(header);
    const headLength = Buffer.byteLength(head);
    const bodyLength = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const frame = Buffer.allocUnsafe(7 + headLength + bodyLength);
    frame.writeUInt32BE(3 + headLength + bodyLength, 0);
    frame.writeUInt8(kind, 4);
    frame.writeUInt16BE(headLength, 5);
    frame.write(head, 7);
    if (typeof body === 'string') frame.write(body, 7 + headLength);
    else body.copy(frame, 7 + headLength);
    let written = 0;
    try {
      written = fs.writeSync(this.fd, frame);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
    if (written === frame.length) done();
    else this.socket.write(frame.subarray(written), done);
  }
}

// ------------------------------------------------------------------------------------------ errors

/** A failure that has a name of its own in Lambda. */
function fault(name) {
  const kind = class extends Error {};
  Object.defineProperty(kind, 'name', { value: name });
  kind.prototype.name = `Runtime.${name}`;
  return kind;
}

const ImportModuleError = fault('ImportModuleError');
const UserCodeSyntaxError = fault('UserCodeSyntaxError');
const HandlerNotFound = fault('HandlerNotFound');
const MalformedHandlerName = fault('MalformedHandlerName');
const MalformedStreamingHandler = fault('MalformedStreamingHandler');
const InvalidStreamingOperation = fault('InvalidStreamingOperation');
const CallbackHandlerDeprecated = fault('CallbackHandlerDeprecated');
const JSONStringifyError = fault('JSONStringifyError');
const NodeJsExit = fault('NodeJsExit');
const UnhandledPromiseRejection = fault('UnhandledPromiseRejection');

const CALLBACKS_REMOVED =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with ' +
  'Node.js 24. You need to modify this function to use a supported handler signature to use ' +
  'Node.js 24 or later. For more information see ' +
  'https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';
const NEVER_SETTLED =
  'The handler returned a promise that was never settled, and nothing is left that could settle it.';

/** The document that the caller of the function gets. Anything may have been thrown. */
function errorDocument(error) {
  try {
    if (looksLikeError(error)) {
      return {
        errorType: error.name,
        errorMessage: error.message,
        trace: error.stack.split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving ' +
        'one or more of its message, name, and stack',
      trace: [],
    };
  }
}

function looksLikeError(value) {
  if (value instanceof Error) return typeof value.stack === 'string';
  return Boolean(value) && ['name', 'message', 'stack'].every(
    (key) => typeof value[key] === 'string' && value[key] !== '');
}

// -------------------------------------------------------------------------------------------- logs

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const current = { requestId: undefined, tenantId: undefined };
const JSON_LOGS = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';

/** Make `console` write one log event per call, framed if the daemon gave a descriptor. */
function patchConsole() {
  const fd = process.env._LAMBDA_TELEMETRY_LOG_FD;
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  const write = fd === undefined ? writeLine : (level, at, text) => writeEvent(+fd, level, at, text);
  const format = JSON_LOGS ? formatJson : formatText;
  const least = LEVELS[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? LEVELS.TRACE;
  for (const level of Object.keys(LEVELS)) {
    console[level.toLowerCase()] = LEVELS[level] < least ? () => {} : (first, ...rest) => {
      const at = new Date();
      write(level, at, format(level, at, [first, ...rest]));
    };
  }
  console.log = console.info;
}

function writeEvent(fd, level, at, text) {
  const line = JSON_LOGS ? text : text + '\n';
  const length = Buffer.byteLength(line);
  const event = Buffer.allocUnsafe(16 + length);
  event.writeUInt32BE(((JSON_LOGS ? 0xa55a0002 : 0xa55a0003) | (LEVELS[level] << 2)) >>> 0, 0);
  event.writeUInt32BE(length, 4);
  event.writeBigUInt64BE(BigInt(at.getTime()) * 1000n, 8);
  event.write(line, 16);
  for (let done = 0; done < event.length;) done += fs.writeSync(fd, event, done);
}

function writeLine(level, at, text) {
  process.stdout.write(text.replace(/\n/g, '\r') + '\n');
}

function formatText(level, at, values) {
  const message = require('util').format(...values);
  return `${at.toISOString()}\t${current.requestId}\t${level}\t${message}`;
}

function formatJson(level, at, values) {
  const { format } = require('util');
  const record = { timestamp: at.toISOString(), level, requestId: current.requestId };
  if (current.tenantId) record.tenantId = current.tenantId;
  if (values.length <= 1) {
    record.message = values[0];
    try {
      return JSON.stringify(record, (_key, value) => (value instanceof Error
        ? { ...describeError(value), ...value } : value));
    } catch {
      record.message = format(values[0]);
      return JSON.stringify(record);
    }
  }
  record.message = format(...values);
  const error = values.find((value) => value instanceof Error);
  if (error !== undefined) Object.assign(record, describeError(error));
  return JSON.stringify(record);
}

function describeError(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

/** Log what failed: `title` and the error on one line, or as the message of a JSON record. */
function logError(title, thrown) {
  const error = thrown instanceof Error ? thrown : new Error(thrown);
  if (JSON_LOGS) {
    console.error(error);
    return;
  }
  let text;
  try {
    text = JSON.stringify(error, (_key, value) => {
      if (!(value instanceof Error)) return value;
      const { name, message, code, stack } = value;
      const fields = { errorType: name, errorMessage: message, code, ...value };
      if (typeof stack === 'string') fields.stack = stack.split('\n');
      return fields;
    });
  } catch {
    text = JSON.stringify(errorDocument(error));
  }
  console.error(title, '\t' + text);
}

// ------------------------------------------------------------------------------------- the handler

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const STREAMING_BUFFER = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

/** What AWS puts into the global object for handlers that stream. */
function defineGlobals() {
  if (['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) return;
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') {
        handler[STREAMING_BUFFER] = Math.trunc(options.highWaterMark);
      }
      return handler;
    },
    HttpResponseStream: {
      /** Put status, headers and cookies before the body: JSON and eight zero bytes. */
      from(stream, prelude) {
        stream.setContentType('application/vnd.awslambda.http-integration-response');
        stream._onBeforeFirstWrite = (write) => {
          write(JSON.stringify(prelude));
          write(Buffer.alloc(8));
        };
        return stream;
      },
    },
  };
}

/** Import the handler's module, in whichever way it wants to be imported, and find the handler. */
async function loadHandler(root, name) {
  if (name.includes('..')) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root ` +
      'directories in handler names.');
  }
  const base = path.basename(name);
  const folder = name.slice(0, name.indexOf(base));
  const dot = base.indexOf('.');
  if (dot < 0) throw new MalformedHandlerName('Bad handler');
  const module = await loadModule(root, folder, base.slice(0, dot));
  const keys = base.slice(dot + 1).split('.');
  const find = (from) => keys.reduce((value, key) => value && value[key], from);
  const handler = find(module) ?? (MODERN ? find(module.default) : undefined);
  if (!handler) throw new HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new HandlerNotFound(`${name} is not a function`);
  if (handler[STREAMING] && handler[STREAMING] !== 'response') {
    throw new MalformedStreamingHandler('Only response streaming is supported.');
  }
  if (MODERN && handler.length >= 3 && !handler[STREAMING]) {
    throw new CallbackHandlerDeprecated(CALLBACKS_REMOVED);
  }
  return handler;
}

async function loadModule(root, folder, name) {
  const file = path.resolve(root, folder, name);
  try {
    for (const [extension, load] of candidates(path.dirname(file))) {
      if (isFile(file + extension)) {
        return load === 'import' ? await import(file + extension) : require(file + extension);
      }
    }
    return require(require.resolve(name, { paths: [root, path.resolve(root, folder)] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error?.code === 'MODULE_NOT_FOUND') throw new ImportModuleError(error);
    throw error;
  }
}

/** Endings in the order of preference, each with the way to load it. */
function candidates(folder) {
  const own = isModulePackage(folder) ? 'import' : 'require';
  const list = [['', 'require'], ['.js', own], ['.mjs', 'import'], ['.cjs', 'require']];
  if (MODERN) list.push(['.ts', own], ['.mts', 'import'], ['.cts', 'require']);
  return list;
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Whether the nearest package.json above `folder` says `"type": "module"`. */
function isModulePackage(folder) {
  if (folder.endsWith('/node_modules')) return false;
  const file = path.join(folder, 'package.json');
  if (isFile(file)) {
    try {
      return JSON.parse(fs.readFileSync(file, 'utf8'))?.type === 'module';
    } catch (error) {
      console.warn(`${file} cannot be read; its code is taken for CommonJS.`, error);
      return false;
    }
  }
  return folder !== '/' && isModulePackage(path.dirname(folder));
}

// ----------------------------------------------------------------------------------------- context

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

/** What to do once the event loop is empty; null: nothing, and the process ends. */
let whenIdle = null;
/** What to do with an error that nobody caught. Replaced for each call. */
let onUncaught = null;

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

  fail(error, then = this.next) {
    if (this.answered) {
      then();
      return;
    }
    this.answered = true;
    const document = errorDocument(error);
    const header = { id: this.id, type: document.errorType };
    this.channel.send(ERROR, header, JSON.stringify(document), then);
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
  whenIdle = () => call.reject(new NodeJsExit(NEVER_SETTLED));
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
    whenIdle = null;
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
    else whenIdle = () => setImmediate(() => call.succeed(result));
  });
  const context = {
    get callbackWaitsForEmptyEventLoop() { return waits; },
    set callbackWaitsForEmptyEventLoop(value) { waits = value; },
    succeed: once((result) => done(null, result)),
    fail: once((error) => done(error ?? 'handled')),
    done: once(done),
  };
  const isAsync = handler.constructor?.name === 'AsyncFunction';
  whenIdle = () => {
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
  whenIdle = () => call.reject(new Error('Response stream is not finished.'));
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
  const { Writable } = require('stream');
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

// -------------------------------------------------------------------------------------------- main

function serve(channel, handler) {
  const run = handler[STREAMING] ? runStreaming : MODERN ? runModern : runClassic;
  const next = () => {
    whenIdle = null;
    channel.next(onCall);
  };
  function onCall(header, event) {
    current.requestId = header.id;
    current.tenantId = header.tenant;
    if (header.trace === undefined) delete process.env._X_AMZN_TRACE_ID;
    else process.env._X_AMZN_TRACE_ID = header.trace;
    const call = new Invocation(channel, header, next);
    onUncaught = (error, status) => call.fail(error, () => process.exit(status));
    run(handler, event, header, call);
  }
  channel.send(READY, null, '', next);
}

async function main() {
  patchConsole();
  const channel = new Channel(CHANNEL_FD);
  let failed = false;
  onUncaught = (error, status) => {
    if (failed) return;
    failed = true;
    const document = errorDocument(error);
    const exit = () => process.exit(status);
    channel.send(INIT_ERROR, { type: document.errorType }, JSON.stringify(document), exit);
  };
  process.on('uncaughtException', (error) => {
    logError('Uncaught Exception', error);
    onUncaught(error, 129);
  });
  process.on('unhandledRejection', (reason) => {
    const error = new UnhandledPromiseRejection(reason);
    error.reason = reason;
    logError('Unhandled Promise Rejection', error);
    onUncaught(error, 128);
  });
  process.on('beforeExit', () => {
    const act = whenIdle;
    whenIdle = null;
    act?.();
  });
  defineGlobals();
  // As for a module whose top-level await never ends.
  whenIdle = () => process.exit(13);
  let handler;
  try {
    handler = await loadHandler(process.env.LAMBDA_TASK_ROOT ?? '/var/task', process.env._HANDLER);
  } catch (error) {
    logError(MODERN ? 'Init Error' : 'Uncaught Exception', error);
    onUncaught(error, MODERN ? 1 : 129);
    return;
  }
  // Rejections that the module has left behind are failures of init.
  await afterThisTurn();
  if (!failed) serve(channel, handler);
}

main();
