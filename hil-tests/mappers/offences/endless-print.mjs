/** Prints without end, with and without line breaks. */
export function act() {
  const text = `${'noise '.repeat(1_000)}\n`;
  const print = () => {
    process.stderr.write(text.repeat(10));
    process.stdout.write('y'.repeat(60_000), () => setImmediate(print));
  };
  print();
}
