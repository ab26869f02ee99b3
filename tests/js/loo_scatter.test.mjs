import assert from 'node:assert/strict';
import test from 'node:test';
import { THEME, served } from './site.mjs';

const { altOf, layoutOf, tracesOf } = await served('loo_scatter/component.js');

const MESSAGE = { measured: Float32Array.of(1, NaN, -2, 0.5), predicted: Float32Array.of(0.9, 5, -1.5, -0.1), top: Int32Array.of(2),
  group: Int32Array.of(0, 1), names: ['others', 'strongest'], titles: ['predicted', 'measured <b>'], words: '← | →', side: 'train',
  reach: [2, 3], equal: true, sign: 1, selected: 0, band: 0.3, height: 400 };
const named = (message, name) => tracesOf(message, THEME).find((trace) => trace.name === name && trace.hoverinfo !== undefined);

test('a point without a certified refit is left out, everywhere', () => {
  assert.deepEqual([...named(MESSAGE, 'others').customdata], [0, 3]);
  assert.deepEqual([...named(MESSAGE, 'strongest').customdata], [2]);
  assert.deepEqual(named(MESSAGE, 'group that leaves').y, [1]);
});

test('a screen reader hears how many points there are, and both correlations', () => {
  assert.equal(altOf(MESSAGE), 'Predicted against measured change of 3 points. others; strongest.');
});

test('x is predicted, y measured, and the colour the sign of what is helpful', () => {
  const { x, y, marker } = named(MESSAGE, 'others');
  assert.deepEqual([[...y], [...x].map((v) => Math.round(10 * v)), [...marker.color]], [[1, 0.5], [9, -1], [1, 0]]);
  assert.deepEqual([...named({ ...MESSAGE, sign: -1 }, 'others').marker.color], [0, 1]);
});

test('the line of equality is there where both axes mean the same', () => {
  assert.deepEqual(named(MESSAGE, 'predicted = measured').x, [-2, 2]);
  assert.deepEqual(named({ ...MESSAGE, equal: false }, 'predicted = measured').x, []);
});

test('axes are symmetric, and their words are text', () => {
  const { xaxis, yaxis, shapes } = layoutOf(MESSAGE, THEME);
  assert.deepEqual([xaxis.range, yaxis.range], [[-2, 2], [-3, 3]]);
  assert.match(yaxis.title.text, /^measured &lt;b&gt;<br>/);
  assert.deepEqual(shapes.map(({ y0, y1 }) => [y0, y1]), [[-0.3, 0.3]]);
  assert.deepEqual(layoutOf({ ...MESSAGE, band: 0 }, THEME).shapes, []);
});

test('many points are WebGL', () => {
  const many = { ...MESSAGE, measured: new Float32Array(2001), predicted: new Float32Array(2001) };
  assert.ok(tracesOf(MESSAGE, THEME).every(({ type }) => type === 'scatter'));
  assert.ok(tracesOf(many, THEME).every(({ type }) => type === 'scattergl'));
});
