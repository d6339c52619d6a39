// Its promise is never settled, and nothing is left that could settle it.
exports.handler = async () => new Promise(() => {});
