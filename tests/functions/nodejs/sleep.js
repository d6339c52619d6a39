exports.handler = async (event, context) => {
  await new Promise((resolve) => setTimeout(resolve, event.seconds * 1000));
  return { slept: event.seconds, remaining_ms: context.getRemainingTimeInMillis() };
};
