// Loads well, and rejects a promise before the handler was ever called.
Promise.reject(new Error('nobody listens'));
exports.handler = async () => 'never reached';
