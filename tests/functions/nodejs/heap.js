const http = require('http');
const v8 = require('v8');

exports.handler = async () => ({
  heap_mib: v8.getHeapStatistics().heap_size_limit / 2 ** 20,
  gc: typeof globalThis.gc,
  header_bytes: http.maxHeaderSize,
  n_options: process.execArgv.length,
  own: [process.env.all, process.env.new],
});
