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
const Module = require('module');
const path = require('path');
const { pathToFileURL } = require('url');
const { afterThisTurn, MODERN, serve, STREAMING, STREAMING_BUFFER, turns } = require('./calls.cjs');
const { Channel, INIT_ERROR } = require('./channel.cjs');
const {
  CallbackHandlerDeprecated, CALLBACKS_REMOVED, errorDocument, HandlerNotFound, ImportModuleError,
  MalformedHandlerName, MalformedStreamingHandler, UnhandledPromiseRejection, UserCodeSyntaxError,
} = require('./faults.cjs');
const { logError, patchConsole } = require('./logs.cjs');

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
        if (load === 'require') return require(file + extension);
        await searchNodePath();
        return await import(file + extension);
      }
    }
    return require(require.resolve(name, { paths: [root, path.resolve(root, folder)] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error?.code === 'MODULE_NOT_FOUND') throw new ImportModuleError(error);
    throw error;
  }
}

/** Have ES modules look where CommonJS ones do; it costs some time, so only if there is anything. */
async function searchNodePath() {
  const folders = (process.env.NODE_PATH ?? '').split(':').filter(
    (folder) => folder.endsWith('/node_modules') && fs.existsSync(folder));
  if (folders.length === 0) return;
  if (Module.registerHooks) {
    const { resolver } = await import('./node_path.mjs');
    Module.registerHooks({ resolve: resolver(folders).sync });
  } else {
    // Node.js before 22.15 has only hooks that run in a thread of their own.
    Module.register?.('./node_path.mjs', { parentURL: pathToFileURL(__filename), data: folders });
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

/** Initialise, then serve calls until the daemon goes. The variables are the function's. */
async function main(channel) {
  patchConsole();
  let failed = false;
  turns.onUncaught = (error, status) => {
    if (failed) return;
    failed = true;
    const document = errorDocument(error);
    const exit = () => process.exit(status);
    channel.send(INIT_ERROR, { type: document.errorType }, JSON.stringify(document), exit);
  };
  process.on('uncaughtException', (error) => {
    logError('Uncaught Exception', error);
    turns.onUncaught(error, 129);
  });
  process.on('unhandledRejection', (reason) => {
    const error = new UnhandledPromiseRejection(reason);
    error.reason = reason;
    logError('Unhandled Promise Rejection', error);
    turns.onUncaught(error, 128);
  });
  process.on('beforeExit', () => {
    const act = turns.whenIdle;
    turns.whenIdle = null;
    act?.();
  });
  defineGlobals();
  // As for a module whose top-level await never ends.
  turns.whenIdle = () => process.exit(13);
  let handler;
  try {
    handler = await loadHandler(process.env.LAMBDA_TASK_ROOT ?? '/var/task', process.env._HANDLER);
  } catch (error) {
    logError(MODERN ? 'Init Error' : 'Uncaught Exception', error);
    turns.onUncaught(error, MODERN ? 1 : 129);
    return;
  }
  // Rejections that the module has left behind are failures of init.
  await afterThisTurn();
  if (!failed) serve(channel, handler);
}

const channel = new Channel();
if (process.env._ALONZO_PARK === '1') require('./parked.cjs').waitForFunction(channel, main);
else main(channel);
