exports.notFunction = 42;
exports.nested = { deep: { handler: async () => 'deep' } };
