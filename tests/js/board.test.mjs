import assert from 'node:assert/strict';
import test from 'node:test';
import { THEME, facts, served } from './site.mjs';

const { BOTTOM, LEFT, RIGHT, TOP, across, down, fieldLayer, marks, shade } = await served('board/figure.js');
const { classesOf, clamp, count, kinds, nearest, parse, suffices, textOf } = await served('board/points.js');

const TEXT = 'a0_0.a100_-50.b-3_20.b7_7.A1_2';
const POINTS = parse(TEXT);

test('a drawing is the same after text and back', () => {
  assert.equal(textOf(POINTS), TEXT);
  assert.deepEqual(POINTS[1], { letter: 'a', test: false, x: 100, y: -50 });
  assert.deepEqual([parse(''), kinds(POINTS), count(POINTS)], [[], 'aabbA', '4 training and 1 test points']);
  assert.deepEqual(classesOf(POINTS), ['a', 'b']);
});

test('a drawing needs two classes of two and one question', () => {
  assert.ok(suffices(POINTS));
  for (let i = 0; i < POINTS.length; i++) assert.ok(!suffices(POINTS.toSpliced(i, 1)));
});

test('the nearest point is one of its kind', () => {
  assert.equal(nearest(POINTS, false, { x: 1, y: 2 }).i, 0);
  assert.equal(nearest(POINTS, true, { x: 100, y: -50 }).i, 4);
  assert.equal(nearest([], true, { x: 0, y: 0 }).i, null);
  assert.deepEqual([clamp(-1200.4, 1000), clamp(0.6, 1000)], [-1000, 1]);
});

test('the plane reaches from edge to edge of the view box', () => {
  for (const half of [2, 10.5]) {
    assert.deepEqual([-1, 1].map((end) => across(100 * half * end, half)), [LEFT, RIGHT]);
    assert.deepEqual([-1, 1].map((end) => down(100 * half * end, half)), [BOTTOM, TOP]);
  }
});

test('the ends of the colours are harmful and helpful, and nothing is beyond them', () => {
  const rgb = (hex) => `rgb(${[1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)).join(',')})`;
  assert.deepEqual([-1, -7, 0, 1].map((at) => shade(at, {}, THEME)), [facts.ends[0], facts.ends[0], THEME.neutral, facts.ends[1]].map(rgb));
  assert.equal(shade(1, { magnitude_only: true }, THEME), rgb(THEME.strength));
});

test('strong training points lie above weak ones, test points above both, the asked one is a star', () => {
  const scores = [0.3, -0.9, 0.1, NaN, 0.2];
  const points = POINTS.map((point, i) => ({ ...point, score: scores[i], size: 9 }));
  const layer = marks({ points, half: 2, message: { limit: 1 }, asked: null, selected: 1 }, THEME);
  const order = layer.children.map((group) => group.children[0]?.attributes['data-at'] ?? group.attributes.class);
  assert.deepEqual(order, ['3', '2', '0', '1', '4', 'selected']);
  const asked = marks({ points, half: 2, message: { limit: 1 }, asked: 4, selected: null }, THEME).children.at(-1);
  assert.equal(asked.attributes.class, 'asked');
  assert.equal(asked.attributes.transform, `translate(${across(1, 2)} ${down(2, 2)})`);
});

test('the field fills the plane and its boundary ends where the model says', () => {
  const message = { half: 2, field_class: Int32Array.of(0, 0, 1, 1), field_strength: Float32Array.of(1, 1, 1, 1), 
    boundary_x: Float32Array.of(-2, 2, NaN, 0, 0), boundary_y: Float32Array.of(0, 0, NaN, -2, 2) };
  const [image, line] = fieldLayer({ message, half: 2 }, THEME).children;
  assert.ok(Number(image.attributes.x) < LEFT && Number(image.attributes.y) < TOP);
  assert.equal(line.attributes.d, `M${LEFT} ${down(0, 2)}L${RIGHT} ${down(0, 2)}M${across(0, 2)} ${BOTTOM}L${across(0, 2)} ${TOP}`);
  assert.equal(fieldLayer({ message: {}, half: 2 }, THEME).children.length, 0);
});
