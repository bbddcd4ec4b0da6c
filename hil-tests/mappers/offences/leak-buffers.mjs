/** Keeps memory that is not in the JavaScript heap. */
const kept = [];

export function act() {
  setInterval(() => kept.push(Buffer.alloc(262_144, 1)), 20);
}
