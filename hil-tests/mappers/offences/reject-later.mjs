/** Leaves a rejection unhandled. */
export function act() {
  void Promise.resolve().then(() => {
    throw new Error('a bug nobody awaits');
  });
}
