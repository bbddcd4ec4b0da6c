/** What one more node, property and update cost: least squares over everything that was weighed. */
import type { StepResult, Weight } from './result.ts';

/** What a weight may depend on, beside what the service itself weighs. */
export interface Point {
  /** 1 once it has worked: memory that V8 keeps for young objects is taken with the first page, and not given back. */
  readonly worked: number;
  readonly nodes: number;
  readonly properties: number;
  /** Per second. */
  readonly updates: number;
}

type Term = keyof Point;

/** What each costs; a term that was left out costs nothing. */
export interface Slope extends Point {
  readonly fixed: number;
  /** The largest distance of a weighed point from the plane, as a share of that point. */
  readonly worst: number;
}

export interface Slopes {
  readonly privateBytes: Slope;
  readonly cpu: Slope;
}

/** Of an idle property nobody spends time, and an update that is done with holds no memory. */
const MEMORY: readonly Term[] = ['worked', 'nodes', 'properties'];
const CPU: readonly Term[] = ['nodes', 'updates'];

export function slopes(steps: readonly StepResult[]): Slopes {
  const points = steps.flatMap(pointsOf);
  const of = (what: keyof Weight) =>
    points.map(({ weight, ...point }) => ({ ...point, value: weight[what] }));
  return {
    privateBytes: leastSquares(of('privateBytes'), MEMORY),
    cpu: leastSquares(of('cpu'), CPU),
  };
}

/** Each fleet is weighed five times: empty, connected, a part of it filled, all of it, and changing. */
function pointsOf(step: StepResult): readonly (Point & { readonly weight: Weight })[] {
  const { nodes, properties, empty, connect, warmed, fill, load } = step;
  const idle = { nodes, properties: 0, updates: 0 };
  return [
    { ...idle, nodes: 0, worked: 0, weight: empty },
    { ...idle, worked: 0, weight: connect.weight },
    { ...idle, worked: 1, properties: warmed.properties, weight: warmed.weight },
    { ...idle, worked: 1, properties, weight: fill.weight },
    { nodes, worked: 1, properties, updates: load.acknowledgedPerS, weight: load.weight },
  ];
}

/** By the normal equations, columns scaled to their largest so that a million beside a one does no harm. */
export function leastSquares(
  points: readonly (Point & { readonly value: number })[],
  terms: readonly Term[],
): Slope {
  const rows = points.map((point) => [1, ...terms.map((term) => point[term])]);
  const scales = [1, ...terms.map((term) => Math.max(...points.map((point) => point[term])) || 1)];
  const scaled = rows.map((row) => row.map((cell, i) => cell / (scales[i] ?? 1)));
  const matrix = scales.map((_, i) => [
    ...scales.map((_each, j) => sum(scaled.map((row) => (row[i] ?? 0) * (row[j] ?? 0)))),
    sum(scaled.map((row, place) => (row[i] ?? 0) * (points[place]?.value ?? 0))),
  ]);
  const [fixed = 0, ...found] = solve(matrix).map((value, i) => value / (scales[i] ?? 1));
  const cost = (term: Term): number => found[terms.indexOf(term)] ?? 0;
  const slope = {
    fixed,
    worked: cost('worked'),
    nodes: cost('nodes'),
    properties: cost('properties'),
    updates: cost('updates'),
  };
  const errors = points.map((point) => Math.abs(at(slope, point) - point.value) / point.value);
  return { ...slope, worst: Math.max(...errors.filter(Number.isFinite)) };
}

export function at(slope: Omit<Slope, 'worst'>, point: Point): number {
  const terms = ['worked', 'nodes', 'properties', 'updates'] as const;
  return slope.fixed + sum(terms.map((term) => slope[term] * point[term]));
}

/** Gauss with pivots; the last column is the right-hand side. A column that nothing tells apart gets 0. */
function solve(matrix: number[][]): readonly number[] {
  const size = matrix.length;
  for (let column = 0; column < size; column++) {
    const candidates = matrix.slice(column).map((row) => Math.abs(row[column] ?? 0));
    const pivot = column + candidates.indexOf(Math.max(...candidates));
    [matrix[column], matrix[pivot]] = [matrix[pivot] ?? [], matrix[column] ?? []];
    const lead = matrix[column]?.[column] ?? 0;
    if (Math.abs(lead) < NOTHING) continue;
    for (let row = 0; row < size; row++) {
      if (row === column) continue;
      const factor = (matrix[row]?.[column] ?? 0) / lead;
      matrix[row] = (matrix[row] ?? []).map(
        (cell, i) => cell - factor * (matrix[column]?.[i] ?? 0),
      );
    }
  }
  return matrix.map((row, i) => {
    const lead = row[i] ?? 0;
    return Math.abs(lead) < NOTHING ? 0 : (row[size] ?? 0) / lead;
  });
}

const NOTHING = 1e-9;

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
