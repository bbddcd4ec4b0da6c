/** A property's past as steps: a value holds until the next one; gaps are grey. Pure, but for the elements it makes. */

export interface Past {
  readonly samples: readonly { readonly at: string; readonly value: unknown }[];
  readonly gaps: readonly { readonly cause: string; readonly from: string; readonly to?: string }[];
}

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 1000;
const HEIGHT = 100;

/** From `from` to `to`, in ms since 1970; nothing where there are no numbers. */
export function plot(past: Past, from: number, to: number): SVGElement | undefined {
  const points = past.samples
    .map(({ at, value }) => ({ at: Date.parse(at), value: Number(value) }))
    .filter(({ value }) => Number.isFinite(value));
  if (points.length === 0) return undefined;
  const values = points.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (at: number): number => ((Math.max(at, from) - from) / (to - from)) * WIDTH;
  const y = (value: number): number => HEIGHT - ((value - low) / (high - low || 1)) * HEIGHT;
  const svg = make('svg', { viewBox: `0 -4 ${WIDTH} ${HEIGHT + 8}`, preserveAspectRatio: 'none' });
  for (const { from: began, to: ended, cause } of past.gaps) {
    const start = x(Date.parse(began));
    const width = Math.max(1, x(ended === undefined ? to : Date.parse(ended)) - start);
    const gap = make('rect', {
      x: `${start}`,
      y: '-4',
      width: `${width}`,
      height: `${HEIGHT + 8}`,
    });
    const title = make('title', {});
    title.textContent = `nothing known: ${cause}`;
    gap.append(title);
    svg.append(gap);
  }
  svg.append(make('path', { d: steps(points.map(({ at, value }) => [x(at), y(value)])) }));
  return svg;
}

/** The path of a line that stays level until the next point. */
function steps(points: readonly (readonly [x: number, y: number])[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  const round = (value: number): string => value.toFixed(1);
  const path = [`M${round(first[0])},${round(first[1])}`];
  for (const [x, y] of rest) path.push(`H${round(x)}`, `V${round(y)}`);
  return [...path, `H${WIDTH}`].join('');
}

function make(name: string, properties: Readonly<Record<string, string>>): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(properties)) element.setAttribute(key, value);
  return element;
}
