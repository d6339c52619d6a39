class OutOfCheese extends Error {
  constructor(message) {
    super(message);
    this.name = 'OutOfCheese';
  }
}
exports.handler = async (event) => {
  if ('thrown' in event) throw event.thrown;
  throw new OutOfCheese(event.message ?? 'redo from start');
};
