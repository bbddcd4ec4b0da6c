/** Findings as a file of manifests: each model before the first device that has it. */
import type { DeviceModel, Resource } from '@limpet/dmi/manifest';
import { Document, isMap, isSeq } from 'yaml';
import type { Finding } from './findings.ts';

export function manifestsText(findings: readonly Finding[], head: string): string {
  const written = new Set<DeviceModel>();
  const documents: string[] = [];
  for (const { model, device, about, notes } of findings) {
    if (!written.has(model)) {
      written.add(model);
      const empty = model.spec.properties.length === 0;
      const advice = empty ? ['It does not tell what it has: add its properties.'] : [];
      documents.push(documentText(model, [about, ...advice]));
    }
    documents.push(documentText(device, [about, ...notes]));
  }
  return `# ${head}\n${documents.join('---\n')}`;
}

function documentText(resource: Resource, comments: readonly string[]): string {
  const document = new Document(resource);
  const comment = comments
    .filter((each) => each !== '')
    .map((each) => ` ${each.replaceAll(/\s+/g, ' ')}`)
    .join('\n');
  if (comment !== '' && isMap(document.contents)) document.contents.commentBefore = comment;
  // One line each: a model of hundreds is read, and cut, by lines.
  for (const list of ['properties', 'methods']) {
    const items = document.getIn(['spec', list]);
    if (!isSeq(items)) continue;
    for (const item of items.items) if (isMap(item)) item.flow = true;
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}
