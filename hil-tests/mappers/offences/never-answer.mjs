/** Never answers a read. */
export function read() {
  return new Promise(() => undefined);
}
