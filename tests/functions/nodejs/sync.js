// Returns a plain value: an answer from Node.js 24 on, ignored before.
exports.handler = (event) => ({ plain: event });
