/** Answers a list page by page, so that a whole fleet never stands in memory. */
import { setImmediate as immediate } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import type { Backend, Key, Listed } from './backend.ts';
import { type ListRoute, writeToken } from './route.ts';
import type { Shape } from './shape.ts';

/** Others are answered between two pages. */
const PAGE_ITEMS = 50;

/**
 * Writes `metadata` last: only then is it known whether there is more. Its version is that of the first
 * page: a watch from there says again whatever changed while later pages were read.
 */
export async function answerList(
  backend: Backend,
  route: ListRoute,
  { answer, shape }: { readonly answer: Answer; readonly shape: Shape },
): Promise<void> {
  let left = route.limit ?? Number.POSITIVE_INFINITY;
  let page = await fetchPage(backend, route, { left, after: route.resume?.after });
  const version = route.resume?.version ?? page.version;
  answer.begin();
  let text = shape.opening(route.query.kind);
  let separator = '';
  for (;;) {
    for (const item of page.items) {
      text += separator + answer.text(shape.item(item)).trimEnd();
      separator = ',\n';
    }
    left -= page.items.length;
    if (page.next === undefined || left <= 0) break;
    if (!(await answer.write(text))) return;
    text = '';
    await immediate();
    page = await fetchPage(backend, route, { left, after: page.next });
  }
  const token = page.next === undefined ? {} : { continue: writeToken(version, page.next) };
  const metadata = { resourceVersion: String(version), ...token };
  answer.response.end(`${text}],"metadata":${JSON.stringify(metadata)}}\n`);
}

async function fetchPage(
  backend: Backend,
  route: ListRoute,
  { left, after }: { readonly left: number; readonly after: Key | undefined },
): Promise<Listed> {
  const limit = Math.min(left, PAGE_ITEMS);
  return backend.list(route.query, { limit, ...(after !== undefined && { after }) });
}
