/** What one more node, property and update cost: least squares over everything that was weighed. */
import type { StepResult } from './result.ts';

/** `fixed + perNode * nodes + perProperty * properties + perUpdate * updates per second`. */
export interface Slope {
  readonly fixed: number;
  readonly perNode: number;
  readonly perProperty: number;
  readonly perUpdate: number;
  /** The largest distance of a measured point from the plane, as a share of that point. */
  readonly worst: number;
}

interface Point {
  readonly nodes: number;
  readonly properties: number;
  readonly updates: number;
  readonly value: number;
}

export interface Slopes {
  readonly privateBytes: Slope;
  readonly rssBytes: Slope;
  readonly cpu: Slope;
}

export function slopes(steps: readonly StepResult[]): Slopes {
  const of = (what: 'privateBytes' | 'rssBytes' | 'cpu'): Slope =>
    leastSquares(steps.flatMap((step) => pointsOf(step, what)));
  return { privateBytes: of('privateBytes'), rssBytes: of('rssBytes'), cpu: of('cpu') };
}

/** Each fleet is weighed four times: empty, connected, filled, and changing. */
function pointsOf(step: StepResult, what: 'privateBytes' | 'rssBytes' | 'cpu'): readonly Point[] {
  const { nodes, properties, empty, connect, fill, load } = step;
  return [
    { nodes: 0, properties: 0, updates: 0, value: empty[what] },
    { nodes, properties: 0, updates: 0, value: connect.weight[what] },
    { nodes, properties, updates: 0, value: fill.weight[what] },
    { nodes, properties, updates: load.acknowledgedPerS, value: load.weight[what] },
  ];
}

/** By the normal equations, columns scaled to their largest so that a million beside a one does no harm. */
export function leastSquares(points: readonly Point[]): Slope {
  const rows = points.map(({ nodes, properties, updates }) => [1, nodes, properties, updates]);
  const scales = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i] ?? 0)) || 1);
  const scaled = rows.map((row) => row.map((cell, i) => cell / (scales[i] ?? 1)));
  const matrix = scales.map((_, i) => [
    ...scales.map((_each, j) => sum(scaled.map((row) => (row[i] ?? 0) * (row[j] ?? 0)))),
    sum(scaled.map((row, at) => (row[i] ?? 0) * (points[at]?.value ?? 0))),
  ]);
  const [fixed = 0, perNode = 0, perProperty = 0, perUpdate = 0] = solve(matrix).map(
    (value, i) => value / (scales[i] ?? 1),
  );
  const slope = { fixed, perNode, perProperty, perUpdate };
  const errors = points.map((point) => Math.abs(at(slope, point) - point.value) / point.value);
  return { ...slope, worst: Math.max(...errors.filter(Number.isFinite)) };
}

export function at(
  slope: Omit<Slope, 'worst'>,
  size: { readonly nodes: number; readonly properties: number; readonly updates: number },
): number {
  const { fixed, perNode, perProperty, perUpdate } = slope;
  return fixed + perNode * size.nodes + perProperty * size.properties + perUpdate * size.updates;
}

/** Gauss with pivots; the last column is the right-hand side. A column that nothing tells apart gets 0. */
function solve(matrix: number[][]): readonly number[] {
  const size = matrix.length;
  for (let column = 0; column < size; column++) {
    const pivot = matrix
      .slice(column)
      .reduce(
        (best, row, i) => (abs(row[column]) > abs(matrix[best]?.[column]) ? column + i : best),
        column,
      );
    [matrix[column], matrix[pivot]] = [matrix[pivot] ?? [], matrix[column] ?? []];
    const lead = matrix[column]?.[column] ?? 0;
    if (Math.abs(lead) < 1e-12) continue;
    for (let row = 0; row < size; row++) {
      if (row === column) continue;
      const factor = (matrix[row]?.[column] ?? 0) / lead;
      matrix[row] = (matrix[row] ?? []).map(
        (cell, i) => cell - factor * (matrix[column]?.[i] ?? 0),
      );
    }
  }
  return matrix.map((row, i) => (abs(row[i]) < 1e-12 ? 0 : (row[size] ?? 0) / (row[i] ?? 1)));
}

function abs(value: number | undefined): number {
  return Math.abs(value ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
