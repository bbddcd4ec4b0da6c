/** Tells readings far faster than they were asked for. */
import manifest from './package.json' with { type: 'json' };

export async function subscribe(wishes, sink, signal) {
  let count = 0;
  const flood = setInterval(() => {
    for (let i = 0; i < 1_000; i++) {
      const index = i % wishes.length;
      const value = wishes[index].visitor.key === 'beat' ? ++count : manifest.version;
      sink.reading(index, { ok: true, value });
    }
  }, 5);
  signal.addEventListener('abort', () => clearInterval(flood));
  return [];
}
