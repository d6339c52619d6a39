let count = 0;
const instance = `${process.pid}-${process.hrtime.bigint()}`;
exports.handler = async (event) => {
  count += 1;
  await new Promise((resolve) => setTimeout(resolve, 1000 * (event?.seconds ?? 0)));
  return { count, instance };
};
