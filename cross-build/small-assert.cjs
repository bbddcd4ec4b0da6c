/** In place of node:assert for the broker's emitter, which asks only whether an argument is there. */
module.exports = (value) => {
  if (!value) throw new TypeError('an argument is missing');
};
