exports.handler = async (event) => {
  console.log('on my way out');
  process.exit(event.code ?? 1);
};
