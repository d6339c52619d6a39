exports.handler = async () => {
  setTimeout(() => { throw new Error('out of the blue'); }, 1);
  await new Promise((resolve) => setTimeout(resolve, 1000));
};
