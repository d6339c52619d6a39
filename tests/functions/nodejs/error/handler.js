class OutOfStock extends Error {
  name = 'OutOfStock';
}

exports.handler = async (event) => { throw new OutOfStock(event.message); };
