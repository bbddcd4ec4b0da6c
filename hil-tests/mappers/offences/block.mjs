/** Blocks its event loop for 8 s at a time, without using the processor. */
export function act() {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => Atomics.wait(clock, 0, 0, 8_000), 10);
}
