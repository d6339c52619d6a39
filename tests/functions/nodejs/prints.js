// console at every level, and plain lines past it.
exports.handler = async (event) => {
  console.log('hello %s', 'world', { a: 1 });
  console.debug('debug');
  console.warn('two\nlines');
  console.error(new Error('shown'));
  if (event.lone) console.log(event.lone);
  process.stdout.write('plain out\n');
  process.stderr.write('plain err\n');
};
