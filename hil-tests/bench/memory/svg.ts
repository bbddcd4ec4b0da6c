/** What the two pictures share: a card that is readable on light and dark pages, and text that cannot break out. */

export const WIDTH = 820;

export type Shade = 'a' | 'b' | 'c';

/** One whole picture; `body` is drawn on the card. */
export function card(height: number, title: string, body: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">
<title id="title">${escape(title)}</title>
<style>
  .card { fill: #ffffff; stroke: #d0d7de; }
  text { font: 13px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; }
  .small { font-size: 11px; fill: #59636e; }
  .value { font-size: 11px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }
  .strong { font-weight: 600; }
  .grid { stroke: #d8dee4; stroke-width: 1; }
  .goal { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 5 4; }
  .goaltext { font-size: 11px; fill: #cf222e; }
  .a { fill: #0a5dc2; } .b { fill: #1b8f8a; } .c { fill: #9aa4af; }
  .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
  .line.a { stroke: #0a5dc2; fill: none; } .line.b { stroke: #1b8f8a; fill: none; } .line.c { stroke: #b35900; fill: none; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d; }
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .value { stroke: #0d1117; }
    .grid { stroke: #262c34; }
    .goal { stroke: #ff7b72; }
    .goaltext { fill: #ff7b72; }
    .a { fill: #58a6ff; } .b { fill: #39c5bb; } .c { fill: #6e7781; }
    .line.a { stroke: #58a6ff; } .line.b { stroke: #39c5bb; } .line.c { stroke: #f0a35e; }
  }
</style>
<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${body.join('\n')}
</svg>
`;
}

export function text(
  x: number,
  y: number,
  content: string,
  options: { style?: string; end?: boolean; middle?: boolean } = {},
): string {
  const { style, end, middle } = options;
  const anchor = end ? ' text-anchor="end"' : middle ? ' text-anchor="middle"' : '';
  const named = style ? ` class="${style}"` : '';
  return `<text x="${round(x)}" y="${round(y)}"${named}${anchor}>${escape(content)}</text>`;
}

export function line(
  from: readonly [number, number],
  to: readonly [number, number],
  style: string,
): string {
  return `<line class="${style}" x1="${round(from[0])}" y1="${round(from[1])}" x2="${round(to[0])}" y2="${round(to[1])}"/>`;
}

/** Round numbers from 0 to at least `most`, about `count` of them. */
export function ticks(most: number, count: number): readonly number[] {
  const rough = most / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((by) => by * power).find((by) => by >= rough) ?? 10 * power;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) =>
    Number((i * step).toPrecision(6)),
  );
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
