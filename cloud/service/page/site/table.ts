/** The rows of an answer; a device's name leads to it. */
import type { Column } from './api.ts';
import { el, shown } from './dom.ts';

export interface TableOptions {
  readonly columns: readonly Column[];
  /** A device was chosen: `namespace/name`. */
  readonly chosen: (device: string) => void;
}

export class Rows {
  readonly element: HTMLElement;
  readonly #options: TableOptions;
  readonly #body = el('tbody');
  /** Of a standing query. */
  readonly #byKey = new Map<string, HTMLElement>();

  constructor(options: TableOptions) {
    this.#options = options;
    const heads = options.columns.map(({ name, unit }) =>
      el('th', {}, name, ...(unit === undefined ? [] : [el('small', {}, ` ${unit}`)])),
    );
    this.element = el('table', {}, el('thead', {}, el('tr', {}, ...heads)), this.#body);
  }

  get size(): number {
    return this.#body.childElementCount;
  }

  add(values: readonly unknown[]): void {
    this.#body.append(this.#row(values));
  }

  /** A row came in or changed: it lights up for a moment. */
  put(key: string, values: readonly unknown[]): void {
    const row = this.#row(values);
    const before = this.#byKey.get(key);
    if (before === undefined) this.#body.append(row);
    else before.replaceWith(row);
    this.#byKey.set(key, row);
    row.classList.add('fresh');
    setTimeout(() => row.classList.remove('fresh'), 800);
  }

  remove(key: string): void {
    this.#byKey.get(key)?.remove();
    this.#byKey.delete(key);
  }

  #row(values: readonly unknown[]): HTMLElement {
    return el('tr', {}, ...values.map((value, index) => this.#cell(value, index)));
  }

  #cell(value: unknown, index: number): HTMLElement {
    const text = shown(value);
    if (this.#options.columns[index]?.name === 'device' && typeof value === 'string') {
      const link = el('a', { href: `#${value}` }, text);
      link.addEventListener('click', (event) => {
        event.preventDefault();
        this.#options.chosen(value);
      });
      return el('td', {}, link);
    }
    if (typeof value === 'number') return el('td', { class: 'number' }, text);
    return el('td', ['bad', 'stale'].includes(text) ? { class: text } : {}, text);
  }
}
