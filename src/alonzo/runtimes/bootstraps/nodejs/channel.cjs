/** The socket to the daemon, and the frames on it: `runtimes/framing.py` describes them. */
'use strict';

const fs = require('fs');
const net = require('net');

const CHANNEL_FD = 3;

/** The kinds of frames. */
const CONFIG = 2, INVOKE = 1;
const READY = 16, RESPONSE = 17, ERROR = 18, INIT_ERROR = 19, CHUNK = 20;

/** The socket to the daemon. It keeps the process alive only while it waits for a call. */
class Channel {
  constructor() {
    this.fd = CHANNEL_FD;
    this.pending = null; // a frame that is not whole yet, of which `have` bytes are there
    this.have = 0;
    this.stub = null; // less than a frame's length field
    this.onFrame = null;
    this.kind = null; // what it has to be
    this.socket = new net.Socket({
      fd: CHANNEL_FD,
      readable: true,
      writable: true,
      onread: { buffer: Buffer.allocUnsafeSlow(65536), callback: this.onBytes.bind(this) },
    });
    this.socket.on('close', () => process.exit(0));
    this.socket.on('error', () => process.exit(0));
    this.socket.resume();
    this.socket.unref();
  }

  /** Wait for a frame of that kind; `onFrame(header, bodyText)` follows once. */
  next(kind, onFrame) {
    this.kind = kind;
    this.onFrame = onFrame;
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
    if (bytes[4] !== this.kind) throw new Error(`the daemon sent a frame of kind ${bytes[4]}`);
    const bodyAt = 7 + bytes.readUInt16BE(5);
    const header = JSON.parse(bytes.toString('utf8', 7, bodyAt) || '{}');
    const body = bytes.toString('utf8', bodyAt);
    const { onFrame } = this;
    this.kind = this.onFrame = null;
    this.socket.unref();
    onFrame(header, body);
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
    if (this.socket.writableLength === 0) { // Else a frame before this one is still on its way.
      try {
        written = fs.writeSync(this.fd, frame);
      } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
      }
    }
    if (written === frame.length) done();
    else this.socket.write(frame.subarray(written), done);
  }
}

module.exports = { Channel, CHUNK, CONFIG, ERROR, INIT_ERROR, INVOKE, READY, RESPONSE };
