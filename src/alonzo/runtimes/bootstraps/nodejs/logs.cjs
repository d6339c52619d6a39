/** `console` as AWS's client has it: one log event per call, as text or as JSON. */
'use strict';

const fs = require('fs');
const { format } = require('util');
const { errorDocument } = require('./faults.cjs');

const LEVELS = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const current = { requestId: undefined, tenantId: undefined };
let asJson = false;

/** Make `console` write one log event per call, framed if the daemon gave a descriptor. */
function patchConsole() {
  asJson = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  const fd = process.env._LAMBDA_TELEMETRY_LOG_FD;
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  const write = fd === undefined ? writeLine : (level, at, text) => writeEvent(+fd, level, at, text);
  const render = asJson ? formatJson : formatText;
  const least = LEVELS[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? LEVELS.TRACE;
  for (const level of Object.keys(LEVELS)) {
    console[level.toLowerCase()] = LEVELS[level] < least ? () => {} : (first, ...rest) => {
      const at = new Date();
      write(level, at, render(level, at, [first, ...rest]));
    };
  }
  console.log = console.info;
}

function writeEvent(fd, level, at, text) {
  const line = asJson ? text : text + '\n';
  const length = Buffer.byteLength(line);
  const event = Buffer.allocUnsafe(16 + length);
  event.writeUInt32BE(((asJson ? 0xa55a0002 : 0xa55a0003) | (LEVELS[level] << 2)) >>> 0, 0);
  event.writeUInt32BE(length, 4);
  event.writeBigUInt64BE(BigInt(at.getTime()) * 1000n, 8);
  event.write(line, 16);
  for (let done = 0; done < event.length;) done += fs.writeSync(fd, event, done);
}

function writeLine(level, at, text) {
  process.stdout.write(text.replace(/\n/g, '\r') + '\n');
}

function formatText(level, at, values) {
  return `${at.toISOString()}\t${current.requestId}\t${level}\t${format(...values)}`;
}

function formatJson(level, at, values) {
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
  if (asJson) {
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

module.exports = { current, logError, patchConsole };
