/** JSON lines off a stream. */
import type { Document } from './backend.ts';

/** Beyond any object of the API: whoever sends this is not it. */
const MOST_LINE_BYTES = 16 * 1024 * 1024;

/** One object per line, as they arrive. @throws SyntaxError on what is not JSON; RangeError on an endless line. */
export async function* objectLines(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<Document, void, void> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      held.push(chunk.subarray(start, end));
      yield JSON.parse(Buffer.concat(held).toString()) as Document;
      held = [];
      bytes = 0;
      start = end + 1;
    }
    held.push(chunk.subarray(start));
    bytes += chunk.length - start;
    if (bytes > MOST_LINE_BYTES) throw new RangeError(`a line beyond ${MOST_LINE_BYTES} bytes`);
  }
}
