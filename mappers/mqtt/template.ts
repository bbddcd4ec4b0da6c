/** Topics with variables (pure): `{name}`, `{namespace}`, `{device}` (both), `{topic}` of the settings, and the device's own. */
import { Misconfigured } from '@limpet/dmi';
import type { Settings } from './settings.ts';

/** Fills in what stands in braces. @throws Misconfigured MQTT_TOPIC */
export type Fill = (template: string) => string;

export function fillFor({ topic, variables }: Settings, device: string): Fill {
  const [namespace = '', name = ''] = device.split('/');
  const known = new Map(Object.entries({ ...variables, namespace, name, device }));
  known.set('topic', fill(topic, known));
  return (template) => fill(template, known);
}

function fill(template: string, known: ReadonlyMap<string, string>): string {
  const filled = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = known.get(name);
    if (value !== undefined) return value;
    const names = [...known.keys()].map((each) => `{${each}}`).join(', ');
    throw new Misconfigured(
      'MQTT_TOPIC',
      `the topic ${template} has {${name}}, which is not known: there are ${names}, and what variables of the settings add`,
    );
  });
  if (/[+#\0]/.test(filled) || filled === '') {
    throw new Misconfigured('MQTT_TOPIC', `the topic ${template} is empty or has + or #`);
  }
  return filled;
}
