// From a parked scene and a message of scores to a Plotly figure.  Every point trace is scattergl: Plotly paints that
// above any SVG trace, whatever the order.
import { fieldPicture } from '../shared/field.js';
import { CLEAR, HARMFUL, HELPFUL, STAR, escapeText, markerSizes, place, scaleTitle, scaleWords } from '../shared/palette.js';
import { restingTool } from '../shared/plotting.js';

const SHAPES = ['circle', 'square', 'diamond-tall', 'triangle-up', 'triangle-down', 'cross', 'pentagon', 'hexagram',
  'bowtie', 'star-square'];
const CROWD = 200; // more points than this get smaller marks
const MANY = 1_000; // more open shapes than this fade, or together they would hide every colour
const DENSE = 20_000; // more points than this have no outlines, except the strongest: of a dense cloud one would see nothing else
export const FLIPPED = 'label flipped on purpose';
const STRONG = 150; // so many points are drawn above those of all other classes
const UNDIMMED = { marker: { opacity: 1 } }; // a lasso must not dim the points outside it

function colourAxis(message, theme) {
  const { limit, magnitude_only: unsigned } = message;
  const marks = message.symlog ? [-limit, -limit / 10, 0, limit / 10, limit] : [-limit, -limit / 2, 0, limit / 2, limit];
  const shown = unsigned ? marks.slice(2) : marks;
  return {
    cmin: unsigned ? 0 : -1, cmax: 1,
    colorscale: unsigned ? [[0, theme.neutral], [1, theme.strength]] : [[0, HARMFUL], [0.5, theme.neutral], [1, HELPFUL]],
    colorbar: { orientation: 'h', x: 0.5, y: 1, yanchor: 'bottom', ypad: 2, len: 0.62, thickness: 8, outlinewidth: 0,
      title: { text: escapeText(scaleTitle(message)), side: 'top', font: { size: 12 } },
      tickvals: shown.map((mark) => place(mark, message)), ticktext: scaleWords(message, shown, message.scores), tickfont: { size: 11 }, ticklen: 3,
      tickcolor: theme.outline },
  };
}

// Ascending |score|.  A non-negative float32 sorts like its bits, so bits and index in one double let the typed array's
// own sort do the work; with a comparison function it takes several times as long.
function drawOrder(scores, count) {
  if (!scores) return Int32Array.from({ length: count }, (_, i) => i);
  const bits = new Uint32Array(Float32Array.from(scores, Math.abs).buffer);
  const keys = Float64Array.from(bits, (value, i) => value * 2 ** 21 + i).sort();
  return Int32Array.from(keys, (value) => value % 2 ** 21);
}

function marks(scene, message, side, ids, look) {
  const scored = message.scores && message.target === side;
  const pick = (from) => Float32Array.from(ids, (i) => from[i]);
  const colours = scored && Float32Array.from(ids, (i) => place(message.scores[i], message));
  return { type: 'scattergl', mode: 'markers', hoverinfo: 'none', meta: side, customdata: Int32Array.from(ids),
    x: pick(scene[side + '_x']), y: pick(scene[side + '_y']),
    marker: scored ? { ...look, coloraxis: 'coloraxis', color: colours, size: pick(message.sizes), opacity: 1 }
      : { opacity: 1, ...look }, selected: UNDIMMED, unselected: UNDIMMED };
}

// Two layers of one trace per class, weak and strong points: a trace lies wholly above the one before it, so with one
// layer a weak point of a later class would hide a strong one of an earlier class.
function trainTraces(scene, message, theme) {
  const count = scene.train_x.length;
  const classes = Math.max(scene.class_names.length, 1);
  const scores = message.target === 'train' ? message.scores : null;
  const faded = message.scores && !scores; // the colours belong to the test points
  const order = drawOrder(scores, count);
  const weak = classes > 1 && scores ? count - Math.min(STRONG, count >> 2) : count;
  const layers = [0, 1].map(() => Array.from({ length: classes }, () => []));
  order.forEach((id, rank) => layers[rank < weak ? 0 : 1][scene.train_class[id]].push(id));
  const outline = (layer) => (count > DENSE && !layer ? 0 : faded ? 0.4 : 0.8);
  return layers.flatMap((groups, layer) => groups.map((ids, kind) => ({
    ...marks(scene, message, 'train', ids, { symbol: SHAPES[kind % SHAPES.length], color: theme.idle,
      size: faded ? 5 : 6, line: { width: outline(layer), color: theme.outline }, opacity: faded ? 0.55 : 1 }),
    name: scene.class_names[kind] ?? 'training point', legendgroup: 'train' + kind,
    showlegend: layer === (layers[0][kind].length ? 0 : 1),
  }))).slice(0, classes > 1 ? undefined : 1);
}

function testTrace(scene, message, theme) {
  const scored = message.scores && message.target === 'test';
  const ids = drawOrder(scored ? message.scores : null, scene.test_x.length);
  const symbol = Array.from(ids, (i) => SHAPES[scene.test_class[i] % SHAPES.length]);
  const crowded = ids.length > CROWD; // or the test points would hide the colours below them
  const opacity = crowded ? Math.max(0.05, 0.35 * Math.min(1, MANY / ids.length)) : 0.75;
  const look = scored ? { symbol, line: { width: 1.2, color: theme.text } } // else light: the training points are the subject
    : { symbol, color: CLEAR, size: crowded ? 4 : 8, opacity, line: { width: 1, color: theme.text } };
  const trace = marks(scene, message, 'test', ids, look);
  if (scored && !crowded) trace.marker.size = trace.marker.size.map((size) => Math.max(size, 7)); // few, so all readable
  return { ...trace, name: scored ? 'test point (coloured)' : 'test point (open shape)' };
}

const ring = (name, x, y, marker) => ({ type: 'scattergl', mode: 'markers', hoverinfo: 'skip', name, x, y,
  showlegend: x.length > 0, marker: { opacity: 1, ...marker } });

// WebGL markers cannot be dashed: a ring with an eight-armed star in the background colour over it looks dashed.  Both
// lie below the points, so the point itself stays whole.
function flippedTraces(scene, message, theme) {
  const x = Array.from(scene.flipped, (i) => scene.train_x[i]);
  const y = Array.from(scene.flipped, (i) => scene.train_y[i]);
  const sizes = message.target === 'train' ? message.sizes : null;
  const size = Array.from(scene.flipped, (i) => (sizes ? sizes[i] : 6) + 7);
  const ink = message.target === 'test' ? theme.outline : theme.text; // the colours are elsewhere: step back
  const dashed = ring(FLIPPED, x, y, { symbol: 'circle', size, color: CLEAR, line: { width: 2, color: ink } });
  const gaps = ring('gaps', x, y,
    { symbol: 'asterisk-open', size: size.map((s) => s + 2), color: theme.background, line: { width: 2, color: theme.background } });
  return [{ ...dashed, legendgroup: 'flipped' }, { ...gaps, legendgroup: 'flipped', showlegend: false }];
}

// Points of a question about several: the training points that leave together, the test points asked about.
function groupTraces(scene, message, theme) {
  const pick = (side, ids) => ['_x', '_y'].map((axis) => Float32Array.from(ids, (i) => scene[side + axis][i]));
  const [gx, gy] = pick('train', message.group);
  const [tx, ty] = pick('test', message.tests);
  const sizes = message.target === 'train' ? message.sizes : null;
  const size = Float32Array.from(message.group, (i) => (sizes ? sizes[i] : 6) + 3);
  const asked = { legendgroup: 'asked' };
  const star = tx.length > CROWD ? 7 : 11;
  return [
    ring('group that leaves', gx, gy, { symbol: 'x-thin', size, color: theme.text, line: { width: 1.6, color: theme.text } }),
    { ...ring('asked ring', tx, ty, { symbol: 'circle', size: star + 8, color: CLEAR, line: { width: 1.4, color: theme.text } }),
      ...asked, showlegend: false },
    { ...ring('test points asked about', tx, ty, { symbol: 'star', size: star, color: STAR,
      line: { width: 0.8, color: theme.edge } }), ...asked },
  ];
}

function selectionTraces(scene, message, theme) {
  const at = (side, index) => (index === null ? [[], []] : [[scene[side + '_x'][index]], [scene[side + '_y'][index]]]);
  const [tx, ty] = at('train', message.selected_train);
  const [sx, sy] = at('test', message.selected_test);
  const line = { width: 2, color: theme.text };
  return [
    // The title names diamond and star: in the legend they would cost a row over the points.
    { ...ring('selected training point', tx, ty, { symbol: 'diamond-open', size: 26, color: theme.text, line: { ...line, width: 3 } }),
      showlegend: false },
    { ...ring('test ring', sx, sy, { symbol: 'circle', size: 28, color: CLEAR, line }), legendgroup: 'star', showlegend: false },
    { ...ring('selected test point', sx, sy, { symbol: 'star', size: 17, color: STAR, line: { width: 1.2, color: theme.edge } }),
      legendgroup: 'star', showlegend: false },
  ];
}

function lineTraces(scene, message, theme) {
  const line = (name, x, y, dash, color = theme.text) => ({ type: 'scattergl', mode: 'lines', hoverinfo: 'skip', name, x, y,
    line: { color, width: 2, dash }, opacity: 0.85, showlegend: x.length > 0 });
  const traces = [];
  const { boundary_x: x, boundary_y: y } = scene;
  if (x && message.after_x) traces.push(line('boundary before', x, y, 'dash', theme.outline));
  else if (x) traces.push(line('decision boundary (p = 0.5)', x, y, 'solid'));
  // There also while empty: legend switches are kept by a trace's place.
  if (x) traces.push(line('boundary after the refit', message.after_x ?? [], message.after_y ?? [], 'solid'));
  if (scene.fitted_x) traces.push(line('what the model predicts', scene.fitted_x, scene.fitted_y, 'solid'));
  if (scene.optimal_x) traces.push(line('optimal boundary', scene.optimal_x, scene.optimal_y, 'dash'));
  return traces;
}

function fieldImage(scene, theme) {
  if (!scene.field_p) return null;
  const { field_x: x, field_y: y, field_p: p } = scene;
  const cached = (scene.pictures ??= {});
  cached[theme.dark] ??= fieldPicture(x.length, y.length, (i) => [p[i] > 0.5 ? 1 : 0, Math.abs(2 * p[i] - 1)], theme);
  const [dx, dy] = [(x.at(-1) - x[0]) / (x.length - 1), (y.at(-1) - y[0]) / (y.length - 1)];
  return { source: cached[theme.dark], xref: 'x', yref: 'y', x: x[0] - dx / 2, y: y.at(-1) + dy / 2,
    sizex: dx * x.length, sizey: dy * y.length, sizing: 'stretch', layer: 'below' };
}

function rangeOf(scene, axis) {
  if (scene['field_' + axis]) {
    const [first, last] = [scene['field_' + axis][0], scene['field_' + axis].at(-1)];
    return [axis === 'y' ? first - 0.18 * (last - first) : first, last]; // room for the legend
  }
  let [low, high] = [Infinity, -Infinity];
  for (const side of ['train_', 'test_']) {
    for (const value of scene[side + axis]) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const pad = 0.05 * (high - low || 1);
  return [low - (axis === 'y' ? 3 : 1) * pad, high + pad]; // the legend lies inside, at the bottom
}

function layoutOf(scene, message, theme) {
  const axis = (name, k) => ({ title: k ? { text: scene.axis_titles[k], standoff: 6 } : undefined, range: rangeOf(scene, name),
    gridcolor: theme.grid, zeroline: false, tickcolor: theme.grid, automargin: false });
  const image = fieldImage(scene, theme);
  // Plotly places the title of the lower axis before it knows how high the tick labels are: sometimes over them.
  const below = { text: scene.axis_titles[0], x: 0.5, xref: 'paper', y: 0, yref: 'paper', yanchor: 'top', yshift: -22,
    showarrow: false, font: { size: 14 } };
  return {
    height: message.height, uirevision: scene.frame, hovermode: 'closest', hoverdistance: 12, dragmode: restingTool(),
    clickmode: 'event', margin: { l: 52, r: 8, t: 48, b: 46 }, images: image ? [image] : [],
    annotations: [below],
    paper_bgcolor: CLEAR, plot_bgcolor: CLEAR, font: { color: theme.text, family: theme.font, size: 12 },
    xaxis: axis('x', 0), yaxis: axis('y', 1), modebar: { orientation: 'v', bgcolor: CLEAR, color: theme.outline, activecolor: theme.text },
    legend: { orientation: 'h', x: 0, y: 0, yanchor: 'bottom', itemsizing: 'constant', font: { size: 11 }, bgcolor: theme.veil },
    ...(message.scores ? { coloraxis: colourAxis(message, theme) } : {}),
    meta: { test: message.selected_test, train: message.selected_train, scored: Boolean(message.scores) },
  };
}

export function figureOf(scene, sent, theme) {
  const message = { ...sent, sizes: sent.scores && markerSizes(sent.scores, sent.limit) };
  // Lines after the rings, whose gaps would cut them.
  const data = [...flippedTraces(scene, message, theme), ...lineTraces(scene, message, theme),
    ...trainTraces(scene, message, theme), testTrace(scene, message, theme), ...groupTraces(scene, message, theme),
    ...selectionTraces(scene, message, theme)];
  return { data, layout: layoutOf(scene, message, theme) };
}
