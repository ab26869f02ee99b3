// The influence map: one chart whose points answer to a click and to a lasso.
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

function send(root, trigger, event) {
  const { component, scene } = root.state;
  component.setTriggerValue(trigger, { ...event, fingerprint: scene.fingerprint, nonce: Date.now() });
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
function onLasso(root, Plotly, event) {
  if (!event?.points) return;
  const inside = { train: new Set(), test: new Set() };
  for (const { data, customdata } of event.points) inside[data.meta]?.add(customdata);
  const [train, test] = [inside.train, inside.test].map((ids) => [...ids].sort((a, b) => a - b));
  root.state.lassos = (root.state.lassos ?? 0) + 1;
  draw(Plotly, root, root.state.scene, root.state.message);
  if (train.length || test.length) send(root, 'lassoed', { train, test });
}

function describe(root) {
  const { scene, message, hovered } = root.state;
  const { side, index } = hovered;
  const score = message.scores && message.target === side ? message.scores[index] : null;
  const word = message.magnitude_only || !score ? '' : ' · ' + message.words[score > 0 ? 1 : 0];
  fillTip(root, scene.sprite, side === 'train' ? index : scene.train_x.length + index,
    scene[side + '_labels'][index] ?? `${side} ${index}`,
    score === null ? '' : `${signed(message.sign * score)} ${message.unit}${word}`);
}

function onHover(root, event) {
  const { data, customdata: index } = event.points[0];
  root.state.hovered = { side: data.meta, index };
  describe(root);
  moveTip(root, event.event);
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

function wire(Plotly, root, plot) {
  const { state } = root;
  if (state.plot) return;
  state.plot = plot;
  plot.on('plotly_click', (event) => onClick(root, event));
  plot.on('plotly_selected', (event) => onLasso(root, Plotly, event));
  plot.on('plotly_hover', (event) => onHover(root, event));
  plot.on('plotly_unhover', () => hideTip(root));
  plot.on('plotly_afterplot', () => dressLegend(root, plot));
  dressLegend(root, plot);
  resetOnEmptyGround(root, plot);
  watchWidth(Plotly, root, plot);
}

// Rows of a horizontal legend, its entries packed as Plotly does.
function legendRows(data, width) {
  let [rows, filled] = [1, 0];
  for (const { name, showlegend } of data) {
    if (showlegend === false) continue;
    const entry = 48 + 6.2 * name.length;
    if (filled && filled + entry > width) [rows, filled] = [rows + 1, 0];
    filled += entry;
  }
  return rows;
}

function draw(Plotly, root, scene, message) {
  const theme = palette(root);
  const { data, layout } = figureOf(scene, message, theme);
  layout.selectionrevision = root.state.lassos ?? 0;
  const plot = root.querySelector('.if-plot');
  layout.margin.b = Math.max(layout.margin.b, 58 + 19 * legendRows(data, plot.clientWidth)); // or it covers the axis
  if (root.state.scene !== scene) hideTip(root);
  Object.assign(root.state, { scene, message, theme });
  root.querySelector('.if-error').textContent = '';
  if (root.state.hovered) describe(root); // Plotly tells of a point once, and its score has just changed
  return Plotly.react(plot, data, layout, message.lasso ? CONFIG : CONFIG_WITHOUT_LASSO)
    .then(() => wire(Plotly, root, plot));
}

export default function (component) {
  return chart(component, draw);
}
