import assert from 'node:assert/strict';
import test from 'node:test';
import { THEME, facts, served } from './site.mjs';

const { FLIPPED, figureOf } = await served('map/figure.js');

const N = 40;
const SCENE = { fingerprint: 'f', frame: 'f', class_names: ['a', 'b'], axis_titles: ['x', 'y'],
  train_x: Float32Array.from({ length: N }, (_, i) => i / 10), train_y: Float32Array.from({ length: N }, (_, i) => -i / 10),
  test_x: Float32Array.of(1, 2, 3), test_y: Float32Array.of(0, 1, 0),
  train_class: Int32Array.from({ length: N }, (_, i) => i % 2), test_class: Int32Array.of(0, 1, 1), flipped: Int32Array.of(4) };
const IDLE = { scores: undefined, limit: 1, sign: 1, words: ['harmful', 'helpful'], unit: 'nats', target: 'train', height: 400,
  selected_test: null, selected_train: null, group: Int32Array.of(), tests: Int32Array.of() };
const ASKED = { ...IDLE, scores: Float32Array.from({ length: N }, (_, i) => (i % 3 ? 1 : -1) * ((i * 7) % N) / 20), selected_test: 1 };

const drawn = (message, scene = SCENE) => figureOf(scene, message, THEME);
const named = ({ data }, name) => data.find((trace) => trace.name === name);
const sided = ({ data }, side) => data.filter((trace) => trace.meta === side);

test('every training point is there once, with its own place, colour and size', () => {
  for (const message of [IDLE, ASKED]) {
    const ids = sided(drawn(message), 'train').flatMap((trace) => [...trace.customdata]);
    assert.deepEqual(ids.sort((a, b) => a - b), [...Array(N).keys()]);
  }
  for (const { customdata, x, marker } of sided(drawn(ASKED), 'train')) {
    customdata.forEach((id, k) => {
      assert.equal(x[k], SCENE.train_x[id]);
      assert.equal(marker.color[k], ASKED.scores[id]);
    });
    assert.ok(marker.size.every((size, k) => size >= 4.5 && (k === 0 || size >= marker.size[k - 1])));
  }
});

test('strong points lie above weak ones of every class', () => {
  const traces = sided(drawn(ASKED), 'train').map(({ marker }) => Array.from(marker.color, Math.abs));
  for (const strengths of traces) assert.deepEqual(strengths, strengths.toSorted((a, b) => a - b));
  assert.equal(traces.slice(2).flat().length, N / 4);
  assert.ok(Math.max(...traces.slice(0, 2).flat()) <= Math.min(...traces.slice(2).flat()));
});

test('a dense cloud shows colours, not outlines; the strongest points keep theirs', () => {
  const many = 20_001;
  const [x, y, scores] = [0, 1, 2].map((turn) => Float32Array.from({ length: many }, (_, i) => ((i * 7 + turn) % many) / many));
  const scene = { ...SCENE, train_x: x, train_y: y, train_class: Int32Array.from({ length: many }, (_, i) => i % 2) };
  const widths = (found) => sided(found, 'train').map(({ marker }) => marker.line.width);
  const [weak, ...above] = [0, 2].map((k) => widths(drawn({ ...ASKED, scores }, scene)).slice(k, k + 2));
  assert.deepEqual(weak, [0, 0]);
  assert.ok([...above.flat(), ...widths(drawn(ASKED))].every((width) => width > 0));
});

test('the more open test points there are, the lighter they are, so that colours below them show', () => {
  const opacity = (many) => {
    const [x, y] = [0, 1].map((turn) => Float32Array.from({ length: many }, (_, i) => ((i * 7 + turn) % many) / many));
    const scene = { ...SCENE, test_x: x, test_y: y, test_class: Int32Array.from({ length: many }, (_, i) => i % 2) };
    return sided(drawn(ASKED, scene), 'test')[0].marker.opacity;
  };
  assert.deepEqual([100, 1_000, 2_000, 50_000].map(opacity), [0.75, 0.35, 0.175, 0.05]);
});

test('a class has one mark in the legend, whatever is scored', () => {
  for (const message of [IDLE, ASKED]) {
    const said = sided(drawn(message), 'train').filter((trace) => trace.showlegend !== false).map((trace) => trace.name);
    assert.deepEqual(said, ['a', 'b']);
  }
});

test('the scale runs from harmful over neutral to helpful and is there only with scores', () => {
  const { coloraxis } = drawn(ASKED).layout;
  assert.deepEqual(coloraxis.colorscale.map(([, colour]) => colour), [facts.ends[0], THEME.neutral, facts.ends[1]]);
  assert.deepEqual([coloraxis.cmin, coloraxis.cmax], [-1, 1]);
  assert.deepEqual([coloraxis.colorbar.ticktext[0], coloraxis.colorbar.ticktext.at(-1)], ['≤ −1', '≥ +1']);
  assert.equal(drawn({ ...ASKED, magnitude_only: true }).layout.coloraxis.cmin, 0);
  assert.equal(drawn(IDLE).layout.coloraxis, undefined);
});

test('the reverse question colours test points and fades training points', () => {
  const figure = drawn({ ...ASKED, target: 'test', scores: Float32Array.of(0.1, -0.9, 0.5) });
  const [tests] = sided(figure, 'test');
  assert.deepEqual([...tests.customdata], [0, 2, 1]);
  assert.ok(Math.min(...tests.marker.size) >= 7);
  assert.ok(sided(figure, 'train').every(({ marker }) => marker.color === THEME.idle && marker.opacity < 1));
});

test('what is selected, flipped, leaving and asked about has its ring at its place', () => {
  const figure = drawn({ ...ASKED, selected_train: 4, group: Int32Array.of(2, 3), tests: Int32Array.of(0) });
  const at = (name) => [...named(figure, name).x];
  assert.deepEqual(at('selected test point'), [2]);
  assert.deepEqual(at('selected training point'), [SCENE.train_x[4]]);
  assert.deepEqual(at('group that leaves'), [SCENE.train_x[2], SCENE.train_x[3]]);
  assert.deepEqual(at('test points asked about'), [1]);
  assert.deepEqual(at(FLIPPED), [SCENE.train_x[4]]);
  assert.equal(named(drawn(IDLE), 'group that leaves').showlegend, false);
});

test('zoom and legend belong to the scene and stay through a click', () => {
  const [before, after] = [drawn(IDLE), drawn(ASKED)];
  assert.equal(before.layout.uirevision, after.layout.uirevision);
  assert.deepEqual(before.layout.xaxis.range, after.layout.xaxis.range);
});

test('the boundary before a removal turns dashed when there is one after it', () => {
  const scene = { ...SCENE, boundary_x: [0, 1], boundary_y: [0, 1] };
  assert.equal(named(drawn(IDLE, scene), 'decision boundary (p = 0.5)').line.dash, 'solid');
  const after = drawn({ ...IDLE, after_x: [1, 2], after_y: [0, 1] }, scene);
  assert.deepEqual([named(after, 'boundary before').line.dash, named(after, 'boundary after the refit').line.dash], ['dash', 'solid']);
  assert.equal(drawn(IDLE, scene).data.length, after.data.length); // legend switches are kept by a trace's place
});

test('the field is a picture from top to bottom, made once', () => {
  const scene = { ...SCENE, field_x: Float32Array.of(0, 1), field_y: Float32Array.of(0, 1, 2), field_p: Float32Array.of(0, 1, 0.5, 0.5, 0.5, 0.9) };
  const [image] = drawn(IDLE, scene).layout.images;
  assert.deepEqual([image.x, image.y, image.sizex, image.sizey], [-0.5, 2.5, 2, 3]);
  const alpha = image.source.split(' of ')[1].split(',').map(Number).filter((_, k) => k % 4 === 3);
  assert.deepEqual(alpha.map((a) => a > 0), [false, true, false, false, true, true]);
  assert.equal(drawn(ASKED, scene).layout.images[0].source, image.source);
});
