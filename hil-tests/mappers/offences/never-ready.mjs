/** Is never done loading. */
setInterval(() => undefined, 1_000);
await new Promise(() => undefined);
