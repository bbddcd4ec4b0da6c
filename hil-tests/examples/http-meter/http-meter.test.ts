import { checkMapper, exampleSubject } from '@limpet/dmi/testing';
import { readFileSync } from 'node:fs';
import mapper, { simulator } from './http-meter.ts';
import { subject } from './subject.ts';

const example = readFileSync(new URL('example.yaml', import.meta.url), 'utf8');

// One test for each promise of the device mapper interface, over wires that are cut, silenced and garbled.
checkMapper(mapper, { ...(await exampleSubject(example, mapper, simulator)), ...subject });
