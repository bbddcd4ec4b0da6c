/** What became of a mapper's promises as JUnit XML, which CI systems show (pure). */
import type { Assertion } from '@limpet/dmi/testing';

export function junit(protocol: string, told: readonly Assertion[], ms: number): string {
  const count = (result: Assertion['result']): number =>
    told.filter((each) => each.result === result).length;
  const cases = told.map(({ id, title, result, reason = '' }) => {
    const name = `    <testcase classname="${escaped(protocol)}" name="${escaped(`${id}: ${title}`)}"`;
    if (result === 'pass') return `${name}/>`;
    const inner = result === 'fail' ? `failure message` : `skipped message`;
    return `${name}><${inner}="${escaped(reason)}"/></testcase>`;
  });
  const figures = `tests="${told.length}" failures="${count('fail')}" skipped="${count('not-applicable')}" time="${ms / 1000}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="DMI conformance of ${escaped(protocol)}" ${figures}>
${cases.join('\n')}
  </testsuite>
</testsuites>
`;
}

function escaped(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  // XML 1.0 has no way to say most control characters.
  // eslint-disable-next-line no-control-regex -- those are meant
  const sayable = text.replace(/[\u0000-\u001f\ufffe\uffff]/g, ' ');
  return sayable.replace(/[&<>"]/g, (each) => names[each] ?? each);
}
