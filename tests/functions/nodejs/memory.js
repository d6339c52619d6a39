const kept = [];
exports.handler = async (event) => {
  for (let i = 0; i < event.mib; i += 1) kept.push(Buffer.alloc(1 << 20, 'x'));
  return { kept_mib: kept.length };
};
