// A promise that nobody waits for is rejected while the handler works.
exports.handler = async () => {
  Promise.reject(new Error('nobody listens'));
  await new Promise((resolve) => setTimeout(resolve, 1000));
};
