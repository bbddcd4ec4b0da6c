/** Crashes as native code does: `abort`, or a signal to itself. */
export function act(how) {
  if (how === 'abort') process.abort();
  process.kill(process.pid, how);
}
