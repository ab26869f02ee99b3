// What the tests share: the served modules, Python's word on the same things, and as much of a page as they ask for.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const { SITE, MODULES } = process.env;
export const served = (name) => import(pathToFileURL(`${MODULES}/${name}`));
export const facts = JSON.parse(readFileSync(`${SITE}/facts.json`));
export const message = readFileSync(`${SITE}/message.bin`);

export function node(tag = '') {
  const attributes = {};
  const made = { tag, attributes, children: [], style: {},
    setAttribute: (name, value) => (attributes[name] = String(value)),
    append(...added) {
      for (const child of added) {
        child.remove?.();
        if (typeof child === 'object') child.remove = () => made.children.splice(made.children.indexOf(child), 1);
        made.children.push(child);
      }
    },
    getContext: () => ({ createImageData: (w, h) => ({ data: new Uint8ClampedArray(4 * w * h) }),
      putImageData: (picture) => (made.painted = picture.data) }),
    toDataURL: () => `picture of ${made.painted}` };
  return made;
}
globalThis.document = { baseURI: `${pathToFileURL(SITE)}/`, createElement: node, createElementNS: (_, tag) => node(tag) };
globalThis.matchMedia = () => ({ matches: false });
export const starter = async (name) => (await import(pathToFileURL(`${SITE}/${name}.js`))).default;

export const THEME = { dark: false, neutral: '#F7F7F7', outline: '#8A8F98', idle: '#C3C7CE', strength: '#6A3D9A', grid: '#E6E8EC',
  text: '#31333F', edge: '#31333F', background: '#ffffff', font: 'serif' };
