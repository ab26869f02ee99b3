// Owns one Plotly chart.  Every change of data runs the default export again without the cleanup of the run before, so
// what must last (listeners, the newest component handle) lives on the root element.
const CONFIG = { scrollZoom: true, displaylogo: false, modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'] };
const TEST_REACH = 12; // pixels within which a test point wins a click: dense training points would hide it

function loadPlotly() {
  window.influencePlotly ??= new Promise((resolve, reject) => {
    const tag = document.createElement('script');
    tag.src = './app/static/plotly.min.js';
    tag.onload = () => resolve(window.Plotly);
    tag.onerror = () => {
      window.influencePlotly = undefined;
      tag.remove();
      reject(new Error('The chart library (plotly.min.js) could not be loaded from this server. Reload the page; ' +
        'if that does not help, check that static file serving is switched on.'));
    };
    document.head.appendChild(tag);
  });
  return window.influencePlotly;
}

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

function onClick(root, event) {
  const { component, scene } = root.state;
  const test = nearestTest(root.state.plot, scene, event.event);
  const hit = event.points[0];
  if (test === null && !hit) return;
  const [side, index] = test === null ? [hit.data.meta, hit.customdata] : ['test', test];
  component.setTriggerValue('clicked', { side, index, fingerprint: scene.fingerprint, nonce: Date.now() });
}

function showThumb(thumb, sprite, tile) {
  thumb.hidden = !sprite;
  if (!sprite) return;
  const zoom = Math.max(1, Math.round(56 / sprite.tile_h));
  const [w, h] = [sprite.tile_w * zoom, sprite.tile_h * zoom];
  const rows = Math.ceil(sprite.count / sprite.columns);
  const source = `url("${sprite.data_uri}")`;
  if (thumb.source !== source) thumb.style.backgroundImage = thumb.source = source;
  Object.assign(thumb.style, { width: w + 'px', height: h + 'px', backgroundSize: `${w * sprite.columns}px ${h * rows}px`,
    backgroundPosition: `${-w * (tile % sprite.columns)}px ${-h * Math.floor(tile / sprite.columns)}px` });
}

function fillTip(root) {
  const { scene, message, hovered } = root.state;
  const { side, index } = hovered;
  const tip = root.querySelector('.if-tip');
  showThumb(tip.querySelector('.if-thumb'), scene.sprite, side === 'train' ? index : scene.train_x.length + index);
  tip.querySelector('.if-label').textContent = scene[side + '_labels'][index] ?? `${side} ${index}`;
  const score = message.scores && message.target === side ? message.scores[index] : null;
  const word = message.magnitude_only || !score ? '' : ' · ' + message.words[score > 0 ? 1 : 0];
  tip.querySelector('.if-score').textContent = score === null ? '' : `${signed(message.sign * score)} ${message.unit}${word}`;
}

function onHover(root, event) {
  const { data, customdata: index } = event.points[0];
  root.state.hovered = { side: data.meta, index };
  fillTip(root);
  const tip = root.querySelector('.if-tip');
  tip.hidden = false;
  const box = root.getBoundingClientRect();
  const [x, y] = [event.event.clientX - box.left, event.event.clientY - box.top];
  tip.style.left = Math.min(x + 14, box.width - tip.offsetWidth - 4) + 'px';
  tip.style.top = Math.max(0, y > box.height / 2 ? y - tip.offsetHeight - 10 : y + 14) + 'px';
}

function onLeave(root) {
  root.state.hovered = null;
  root.querySelector('.if-tip').hidden = true;
}

function signed(score) {
  return (score < 0 ? '−' : score > 0 ? '+' : '') + String(Number(Math.abs(score).toPrecision(3)));
}

// The legend's own marks are SVG: its ring can be dashed as the rings of the plot look, and a shape whose points are
// coloured by numbers, which Plotly paints black there, gets the grey of unscored points.
function dressLegend(root, plot) {
  for (const item of plot.querySelectorAll('.legend .traces')) {
    const trace = item.__data__?.[0]?.trace;
    for (const path of item.querySelectorAll('.legendpoints path')) {
      if (trace?.name === FLIPPED) path.style.strokeDasharray = '3 2';
      if (trace?.meta === 'train') path.style.fill = root.state.theme.idle;
    }
  }
}

function wire(Plotly, root, plot) {
  const { state } = root;
  if (state.plot) return;
  state.plot = plot;
  plot.on('plotly_click', (event) => onClick(root, event));
  plot.on('plotly_hover', (event) => onHover(root, event));
  plot.on('plotly_unhover', () => onLeave(root));
  plot.on('plotly_afterplot', () => dressLegend(root, plot));
  dressLegend(root, plot);
  let width = plot.clientWidth; // a sidebar or a tab changes the width without any resize of the window
  state.observer = new ResizeObserver(() => {
    if (!plot.clientWidth || plot.clientWidth === width) return;
    width = plot.clientWidth;
    Plotly.Plots.resize(plot);
  });
  state.observer.observe(plot);
}

function draw(Plotly, root, scene, message) {
  const theme = palette(root);
  const { data, layout } = figureOf(scene, message, theme);
  const plot = root.querySelector('.if-plot');
  if (root.state.scene !== scene) onLeave(root);
  Object.assign(root.state, { scene, message, theme });
  root.querySelector('.if-error').textContent = '';
  if (root.state.hovered) fillTip(root); // Plotly tells of a point once, and its score has just changed
  return Plotly.react(plot, data, layout, CONFIG).then(() => wire(Plotly, root, plot));
}

function release(root) {
  const { state } = root;
  state.ticket += 1;
  state.observer?.disconnect();
  if (state.plot) window.Plotly?.purge(state.plot); // a browser keeps few WebGL contexts alive
  state.plot = null;
}

export default function (component) {
  const root = component.parentElement.querySelector('.if-map');
  const message = unpack(component.data);
  const state = (root.state ??= { ticket: 0 });
  state.component = component;
  const ticket = ++state.ticket; // the newest render wins
  root.setAttribute('aria-label', message.alt);
  root.style.minHeight = message.height + 'px';
  Promise.all([loadPlotly(), parked(message.fingerprint)])
    .then(([Plotly, scene]) => (ticket === state.ticket ? draw(Plotly, root, scene, message) : undefined))
    .catch((error) => {
      console.error(error);
      if (ticket === state.ticket) root.querySelector('.if-error').textContent = error.message;
    });
  return () => release(root);
}
