exports.handler = async (event, context) => ({
  ...context,
  remaining_ms: context.getRemainingTimeInMillis(),
  trace: process.env._X_AMZN_TRACE_ID ?? null,
  has_done: typeof context.done,
});
