/** Waiting for a whole system to settle: polls, and says at the end what it still saw. */

/**
 * Resolves when `check` returns undefined.
 * @throws Error with what `check` last returned, after `timeoutMs`.
 */
export async function until(
  check: () => Promise<string | undefined> | string | undefined,
  timeoutMs = 20_000,
  everyMs = 20,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const wrong = await check();
    if (wrong === undefined) return;
    if (performance.now() > deadline)
      throw new Error(`still not so after ${timeoutMs} ms: ${wrong}`);
    await pause(everyMs);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
