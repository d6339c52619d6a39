// Returns its event.
exports.handler = async (event) => event;
