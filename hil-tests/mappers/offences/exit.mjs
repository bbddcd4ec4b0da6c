/** Ends its process, with the code it is told. */
export function act(code) {
  console.error('giving up');
  process.exit(Number(code));
}
