/** What is said of a rollout that has begun, or of one that was only asked for. */
import type { Rollout, RolloutPreview } from '@limpet/dmi/manifest';
import type { Output } from '../output.ts';

export function showBegun(rollout: Rollout, output: Output): void {
  const { metadata, status } = rollout;
  if (output.json) {
    output.printJson(status?.preview ?? rollout);
  } else if (status?.preview !== undefined) {
    for (const line of previewLines(status.preview)) output.print(line);
  } else {
    const { namespace = 'default', name } = metadata;
    output.print(`rollout ${namespace}/${name} begins`);
    output.note(`How far it is: limpet rollout show ${shownName(namespace, name)}`);
  }
}

/** As the other verbs take it. */
function shownName(namespace: string, name: string): string {
  return namespace === 'default' ? name : `${namespace}/${name}`;
}

function previewLines(preview: RolloutPreview): readonly string[] {
  const { devices, examined, sample, troubles } = preview;
  const count = devices === 1 ? '1 device' : `${devices} devices`;
  const more = devices > sample.length ? ` and ${devices - sample.length} more` : '';
  return [
    devices === 0
      ? 'It would be for no device.'
      : `It would be for ${count}: ${sample.join(', ')}${more}.`,
    ...(examined < devices ? [`The first ${examined} were looked at:`] : []),
    ...troubles.map((trouble) => {
      const named = trouble.devices.join(', ');
      const others = trouble.count > trouble.devices.length ? ', …' : '';
      return `  ${trouble.count} × ${trouble.code}: ${trouble.message} (${named}${others})`;
    }),
    'Nothing was done.',
  ];
}
