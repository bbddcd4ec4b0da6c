/** Throws where nobody can catch it. */
export function act() {
  setTimeout(() => {
    throw new Error('a bug in a timer');
  }, 10);
}
