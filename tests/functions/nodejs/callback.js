// The old style; `mode` picks how the call ends.
exports.handler = (event, context, callback) => {
  switch (event.mode) {
    case 'waits': // for the timer, because the event loop is not empty
      setTimeout(() => { event.late = true; }, 30);
      callback(null, event);
      break;
    case 'at once': {
      context.callbackWaitsForEmptyEventLoop = false;
      const timer = setTimeout(() => {}, 60000);
      callback(null, 'answered');
      timer.unref();
      break;
    }
    case 'succeed': context.succeed('succeeded'); break;
    case 'done': context.done(null, 'done'); break;
    case 'fail': context.fail(new TypeError('failed')); break;
    case 'string': callback('just text'); break;
    case 'twice': callback(null, 'first'); callback(null, 'second'); break;
    case 'throw': throw new RangeError('thrown');
    default: // never calls back
  }
};
