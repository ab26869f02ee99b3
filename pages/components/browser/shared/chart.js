// What every Plotly chart of our own shares: the frame, the hover box, and a redraw per change of data that keeps the zoom.
import FRAME from './chart.html.js';
import STYLE from './chart.css.js';
import { element } from './dom.js';
import { palette } from './palette.js';
import { loadPlotly } from './plotting.js';
import { sheetStyle, tileStyle, zoomTo } from './sprite.js';
import { component } from './start.js';
import { parked, unpack, unpark } from './wire.js';

function showThumb(thumb, sprite, tile) {
  thumb.hidden = !sprite;
  if (!sprite) return;
  const zoom = zoomTo(56, sprite.tile_h);
  const { backgroundImage, backgroundSize } = sheetStyle(sprite, zoom);
  if (thumb.source !== backgroundImage) thumb.style.backgroundImage = thumb.source = backgroundImage;
  Object.assign(thumb.style, { backgroundSize, ...tileStyle(sprite, tile, zoom) });
}

// A value of an example that is a row: a number, or the category at a place.
function cell(scene, side, index, k) {
  const [code, [, levels]] = [scene[side + '_cells'][index * scene.columns.length + k], scene.columns[k]];
  return levels.length ? levels[code] ?? '(other)' : String(Number(code.toPrecision(4))).replace('-', '−');
}

// The columns that say most about the question: of the point, and behind them of what is asked about.
function cells(scene, { told, beside }, side, index) {
  const other = beside && String(beside) !== String([side, index]);
  return (told ?? []).map((k) => element('div', {}, `${scene.columns[k][0]}: ${cell(scene, side, index, k)}`
    + (other ? ` (asked about: ${cell(scene, ...beside, k)})` : '')));
}

// The box beside the mouse: what, and how much.  Text only.
function fillTip(root, kind) {
  const { scene, message, hovered: { side, index } } = root.state;
  root.querySelector('.if-cells').replaceChildren(...cells(scene, message, side, index));
  showThumb(root.querySelector('.if-thumb'), scene.sprite, side === 'train' ? index : scene.train_x.length + index);
  root.querySelector('.if-label').textContent = scene[side + '_labels'][index] ?? `${side} ${index}`;
  root.querySelector('.if-score').textContent = kind.words(message, side, index);
}

function moveTip(root, mouse) {
  const tip = root.querySelector('.if-tip');
  tip.hidden = false;
  const box = root.getBoundingClientRect();
  const [x, y] = [mouse.clientX - box.left, mouse.clientY - box.top];
  tip.style.left = Math.min(x + 14, box.width - tip.offsetWidth - 4) + 'px';
  tip.style.top = Math.max(0, y > box.height / 2 ? y - tip.offsetHeight - 10 : y + 14) + 'px';
}

function hideTip(root) {
  root.state.hovered = null;
  root.querySelector('.if-tip').hidden = true;
}

function watchWidth(root, plot) {
  let width = plot.clientWidth; // a sidebar or a tab changes the width without any resize of the window
  root.state.observer = new ResizeObserver(() => {
    if (!plot.clientWidth || plot.clientWidth === width) return;
    width = plot.clientWidth;
    root.state.Plotly.Plots.resize(plot);
  });
  root.state.observer.observe(plot);
}

function listen(root, plot, kind) {
  const { state } = root;
  state.plot = plot;
  plot.on('plotly_hover', ({ points: [{ data, customdata: index }], event }) => {
    state.hovered = { side: data.meta, index };
    fillTip(root, kind);
    moveTip(root, event);
  });
  plot.on('plotly_unhover', () => hideTip(root));
  // To Plotly, two points clicked within half a second are a double click, and it would undo the zoom: on points it must not.
  plot.on('plotly_doubleclick', () => {
    if (!state.hovered) plot.querySelector('[data-attr="zoom"][data-val="reset"]').click();
  });
  kind.listen(root, plot);
  watchWidth(root, plot);
}

export async function redraw(root, kind) {
  const { Plotly, scene, message } = root.state;
  const plot = root.querySelector('.if-plot');
  root.state.theme = palette(root);
  root.querySelector('.if-error').textContent = '';
  if (root.state.hovered) fillTip(root, kind); // Plotly tells of a point once, and its score has just changed
  const { data, layout } = kind.figure(scene, message, root.state.theme, root);
  await Plotly.react(plot, data, layout, kind.config(message));
  if (!root.isConnected) Plotly.purge(plot);
  else if (!root.state.plot) listen(root, plot, kind);
}

export function send(root, trigger, event) {
  const { handle, scene } = root.state;
  handle.setTriggerValue(trigger, { ...event, fingerprint: scene.fingerprint, nonce: Date.now() });
}

// The wheel scrolls the page; with ctrl or ⌘, and so with two fingers, it zooms the chart.
function scrolls(event) {
  if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
}

function release(root) {
  const { state } = root;
  unpark(root);
  state.observer?.disconnect();
  if (state.plot) state.Plotly.purge(state.plot); // a browser keeps few WebGL contexts alive
  state.plot = null;
}

// A kind of chart: figure() for scene and message, its configuration, the words of the hover box, what it listens to, and
// arrive() where a message shares numbers with another chart.
// What must last (listeners, the newest handle) lives on the root element.
export const chart = (kind) => component((handle, current) => {
  const root = handle.parentElement.querySelector('.if-chart');
  const message = unpack(handle.data);
  if (!root.state) {
    root.innerHTML = FRAME;
    root.addEventListener('wheel', scrolls, { capture: true });
  }
  const state = (root.state ??= {});
  state.handle = handle;
  if (message.alt) root.setAttribute('aria-label', message.alt);
  root.style.minHeight = message.height + 'px';
  Promise.all([loadPlotly(), parked(message.fingerprint), kind.arrive?.(message, root)]).then(([Plotly, scene]) => {
    if (!current()) return undefined;
    if (state.scene !== scene || state.message.side !== message.side) hideTip(root);
    Object.assign(state, { Plotly, scene, message });
    return redraw(root, kind);
  }).catch((error) => {
    console.error(error);
    if (current()) root.querySelector('.if-error').textContent = error.message;
  });
  return () => release(root);
}, STYLE);
