// The field of a model as a small picture that the browser stretches: a contour would be computed anew at every click.
import { element } from './dom.js';
import { TINTS } from './palette.js';

// at(i) is the class of the i-th place, rows from below, and how certain it is.
export function fieldPicture(columns, rows, at, theme) {
  const canvas = element('canvas', { width: columns, height: rows });
  const paint = canvas.getContext('2d');
  const picture = paint.createImageData(columns, rows);
  for (let i = 0; i < columns * rows; i++) {
    const [kind, certain] = at(i);
    const [r, g, b, strength] = TINTS[kind];
    picture.data.set([r, g, b, certain * strength * (theme.dark ? 1.3 : 1)],
      4 * ((rows - 1 - Math.floor(i / columns)) * columns + (i % columns)));
  }
  paint.putImageData(picture, 0, 0);
  return canvas.toDataURL();
}
