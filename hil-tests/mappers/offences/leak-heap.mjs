/** Keeps every object it makes. */
const kept = [];

export function act() {
  setInterval(() => {
    for (let i = 0; i < 4_000; i++) kept.push({ at: performance.now(), text: `reading ${i}` });
  }, 10);
}
