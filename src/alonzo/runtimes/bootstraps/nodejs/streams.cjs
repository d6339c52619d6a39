/** The stream that a streaming handler writes its response into. */
'use strict';

const { Writable } = require('stream');
const { InvalidStreamingOperation } = require('./faults.cjs');

/**
 * What is written goes to the daemon piece by piece, no faster than whoever reads the response takes
 * it: until then `write()` answers false, and `drain` follows. `call` sends the pieces.
 */
class ResponseStream extends Writable {
  constructor(call, highWaterMark) {
    super({ highWaterMark });
    this._call = call;
    this._contentType = 'application/octet-stream';
    this._begun = false;
  }

  setContentType(contentType) {
    if (this._begun) throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    this._contentType = contentType;
  }

  write(chunk, ...rest) {
    if (!this._begun) {
      this._begun = true;
      this._onBeforeFirstWrite?.((first) => super.write(first));
    }
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(plain ? chunk : JSON.stringify(chunk), ...rest);
  }

  end(chunk, ...rest) {
    if (typeof chunk === 'function') return super.end(chunk);
    if (chunk !== undefined && chunk !== null) this.write(chunk);
    return super.end(...rest.filter((value) => typeof value === 'function'));
  }

  _write(chunk, _encoding, done) {
    this._call.stream(this._contentType, chunk, done);
  }

  _final(done) {
    this._call.stream(this._contentType, Buffer.alloc(0), done);
  }
}

module.exports = { ResponseStream };
