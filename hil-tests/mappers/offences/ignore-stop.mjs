/** Does not want to end. */
process.exit = () => undefined;
process.reallyExit = () => undefined;
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => undefined);
setInterval(() => undefined, 1_000);

export function close() {
  for (;;);
}
