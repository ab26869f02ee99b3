// Predicted against measured change, one point per example; a click selects it.
import { chart, send } from '../shared/chart.js';
import { CLEAR, HARMFUL, HELPFUL, escapeText, signed } from '../shared/palette.js';
import { configOf, legendStandIn, restingTool } from '../shared/plotting.js';
import { parked } from '../shared/wire.js';

const CONFIG = configOf('select2d', 'lasso2d');
const MANY = 2000; // from here on WebGL: SVG shapes would be slow

// Blue and vermillion as two ends of a scale: a list of colour words would take Plotly longer.
function points(message, rows, theme, look) {
  const pick = (from) => Float32Array.from(rows, (i) => from[i]);
  const colour = Float32Array.from(rows, (i) => (message.sign * message.predicted[i] >= 0 ? 1 : 0));
  return { mode: 'markers', hoverinfo: 'none', meta: message.side, customdata: Int32Array.from(rows), showlegend: false,
    x: pick(message.predicted), y: pick(message.measured), ...look,
    marker: { opacity: 0.85, line: { width: 0.6, color: theme.outline }, color: colour, cmin: 0, cmax: 1,
      colorscale: [[0, HARMFUL], [1, HELPFUL]], ...look.marker } };
}

function ring(message, name, rows, marker) {
  const known = Array.from(rows).filter((i) => Number.isFinite(message.measured[i]));
  return { mode: 'markers', hoverinfo: 'skip', name, x: known.map((i) => message.predicted[i]),
    y: known.map((i) => message.measured[i]), showlegend: known.length > 0, marker };
}

export function tracesOf(message, theme) {
  const { reach: [x], equal, selected, names, side } = message;
  const top = new Set(message.top);
  const rest = [];
  message.measured.forEach((value, i) => Number.isFinite(value) && !top.has(i) && rest.push(i));
  const layers = [points(message, rest, theme, { name: names[0], legendgroup: 'rest', marker: { symbol: 'circle', size: 6 } }),
    points(message, message.top, theme, { name: names[1], legendgroup: 'top', marker: { symbol: 'diamond', size: 10 } })];
  const open = { color: CLEAR, line: { width: 1.2, color: theme.text } };
  return [
    { mode: 'lines', name: 'predicted = measured', x: equal ? [-x, x] : [], y: equal ? [-x, x] : [], hoverinfo: 'skip',
      showlegend: equal, line: { color: theme.outline, dash: 'dash', width: 1.2 } },
    ...layers, ...layers.map((trace) => legendStandIn(trace, theme)),
    { mode: 'markers', name: message.noise ?? 'noise', x: [null], y: [null], hoverinfo: 'skip', showlegend: message.band > 0,
      marker: { symbol: 'square', size: 12, color: theme.outline, opacity: 0.4 } },
    ring(message, 'group that leaves', message.group, { ...open, symbol: 'x-thin', size: 11, line: { width: 1.6, color: theme.text } }),
    ring(message, 'selected', selected === null ? [] : [selected], { ...open, size: 19,
      symbol: side === 'train' ? 'diamond' : 'circle', line: { width: 2.5, color: theme.text } }),
  ].map((trace) => ({ ...trace, type: message.measured.length > MANY ? 'scattergl' : 'scatter' }));
}

export function layoutOf(message, theme) {
  const axis = (name, k) => ({ title: { text: `${escapeText(name)}<br>${escapeText(message.words)}` },
    range: [-message.reach[k], message.reach[k]], zeroline: true, zerolinecolor: theme.outline, zerolinewidth: 1,
    gridcolor: theme.grid, exponentformat: 'power' });
  return {
    height: message.height, uirevision: `${message.fingerprint} ${message.side} ${message.titles}`, hovermode: 'closest', hoverdistance: 12, dragmode: restingTool(),
    clickmode: 'event', margin: { l: 80, r: 8, t: 8, b: 60 }, xaxis: axis(message.titles[0], 0),
    yaxis: axis(message.titles[1], 1), paper_bgcolor: CLEAR, plot_bgcolor: CLEAR,
    font: { color: theme.text, family: theme.font, size: 12 },
    modebar: { orientation: 'v', bgcolor: CLEAR, color: theme.outline, activecolor: theme.text },
    // Inside, in the corner that points which agree leave empty.
    legend: { x: 0.01, y: 0.99, yanchor: 'top', itemsizing: 'constant', font: { size: 10.5 }, bgcolor: theme.veil },
    shapes: message.band ? [{ type: 'rect', layer: 'below', y0: -message.band, y1: message.band, xref: 'paper', x0: 0, x1: 1,
      line: { width: 0 }, fillcolor: theme.outline, opacity: 0.18 }] : [],
    meta: { selected: message.selected },
  };
}

export const altOf = ({ measured, names }) =>
  `Predicted against measured change of ${measured.filter(Number.isFinite).length} points. ${names.join('; ')}.`;

// The map has the predicted changes already, where it shows them.
async function arrive(message, root) {
  root.setAttribute('aria-label', altOf(message));
  if (!message.coloured) return;
  const { scores, about } = await parked(message.coloured);
  Object.assign(message, { about, predicted: scores.map((score) => message.sign * score) });
}

export default chart({
  arrive,
  config: () => CONFIG,
  figure: (scene, message, theme) => ({ data: tracesOf(message, theme), layout: layoutOf(message, theme) }),
  words: (message, side, index) =>
    `measured ${signed(message.measured[index])}, predicted ${signed(message.predicted[index])}`,
  listen: (root, plot) => plot.on('plotly_click', ({ points: [hit] }) => hit && send(root, 'clicked', { index: hit.customdata })),
});
