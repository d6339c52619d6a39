// Returns its event; an ES module with a top-level await.
const ready = await Promise.resolve(true);
export const handler = async (event) => ({ ready, event });
