// The influence map: one chart whose points answer to a click and to a lasso.
import { chart, redraw, send } from '../shared/chart.js';
import { signed } from '../shared/palette.js';
import { configOf } from '../shared/plotting.js';
import { park } from '../shared/wire.js';
import { FLIPPED, figureOf } from './figure.js';

const CONFIG = configOf();
const CONFIG_WITHOUT_LASSO = configOf('select2d', 'lasso2d');
const TEST_REACH = 12; // pixels within which a test point wins a click: dense training points would hide it

function nearestTest(plot, scene, mouse) {
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  const [px, py] = [mouse.clientX - box.left - xaxis._offset, mouse.clientY - box.top - yaxis._offset];
  const shown = plot._fullData.find((trace) => trace.meta === 'test')?.visible === true;
  let [best, index] = [TEST_REACH ** 2, null];
  for (let i = 0; shown && i < scene.test_x.length; i++) {
    const distance = (xaxis.l2p(scene.test_x[i]) - px) ** 2 + (yaxis.l2p(scene.test_y[i]) - py) ** 2;
    if (distance <= best) [best, index] = [distance, i];
  }
  return index;
}

// With the test points coloured one looks for a training point among them, and the nearest point wins.
function onClick(root, event) {
  const { message, scene, plot } = root.state;
  const test = message.target === 'test' ? null : nearestTest(plot, scene, event.event);
  const hit = event.points[0];
  if (test === null && !hit) return;
  const [side, index] = test === null ? [hit.data.meta, hit.customdata] : ['test', test];
  send(root, 'clicked', { side, index });
}

// A lasso is a question, not a state: it is sent, and its outline goes.
function onLasso(root, event) {
  if (!event?.points) return;
  const inside = { train: new Set(), test: new Set() };
  for (const { data, customdata } of event.points) inside[data.meta]?.add(customdata);
  const [train, test] = [inside.train, inside.test].map((ids) => [...ids].sort((a, b) => a - b));
  root.state.lassos = (root.state.lassos ?? 0) + 1;
  redraw(root, MAP);
  if (train.length || test.length) send(root, 'lassoed', { train, test });
}

// The legend's own marks are SVG: its ring can be dashed as the rings of the plot look, and a shape whose points are
// coloured by numbers, which Plotly paints black there, gets the grey of unscored points.
function dressLegend(root, plot) {
  for (const item of plot.querySelectorAll('.legend .traces')) {
    const trace = item.__data__?.[0]?.trace;
    for (const path of item.querySelectorAll('.legendpoints path')) {
      if (trace?.name === FLIPPED) path.style.strokeDasharray = '3 2';
      if (trace?.meta === 'train' || trace?.marker?.coloraxis) path.style.fill = root.state.theme.idle;
    }
  }
}

const MAP = {
  config: (message) => (message.lasso ? CONFIG : CONFIG_WITHOUT_LASSO),
  figure(scene, message, theme, root) {
    const { data, layout } = figureOf(scene, message, theme);
    layout.selectionrevision = root.state.lassos ?? 0;
    return { data, layout };
  },
  words(message, side, index) {
    if (!message.scores || message.target !== side) return '';
    const score = message.scores[index];
    const word = message.magnitude_only || !score ? '' : ' · ' + message.words[score > 0 ? 1 : 0];
    return `${signed(message.sign * score)} ${message.unit}${word}`;
  },
  arrive: (message, root) => message.scores && park(root, message.coloured, message),
  listen(root, plot) {
    plot.on('plotly_click', (event) => onClick(root, event));
    plot.on('plotly_selected', (event) => onLasso(root, event));
    plot.on('plotly_afterplot', () => dressLegend(root, plot));
    dressLegend(root, plot);
  },
};

export default chart(MAP);
