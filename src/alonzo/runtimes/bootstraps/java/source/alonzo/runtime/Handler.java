package alonzo.runtime;

/** A function's handler, whatever its form: bytes in, bytes out. */
interface Handler {
    byte[] call(byte[] event, CallContext context) throws Throwable;
}
