/** Failures that have a name of their own in Lambda, and the documents that callers get. */
'use strict';

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

module.exports = {
  CallbackHandlerDeprecated, CALLBACKS_REMOVED, errorDocument, HandlerNotFound, ImportModuleError,
  InvalidStreamingOperation, JSONStringifyError, MalformedHandlerName, MalformedStreamingHandler,
  NEVER_SETTLED, NodeJsExit, UnhandledPromiseRejection, UserCodeSyntaxError,
};
