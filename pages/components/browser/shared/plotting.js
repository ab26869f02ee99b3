// Plotly.js itself, and pictures of charts to download.
import { element } from './dom.js';
import { LIBRARY } from './library.js';
import { PICTURE_FONT, escapeText, wrapped } from './palette.js';

let library;

export function loadPlotly() {
  library ??= new Promise((resolve, reject) => {
    const tag = element('script', { src: new URL(LIBRARY, import.meta.url), onload: () => resolve(window.Plotly), onerror: () => {
      library = undefined;
      tag.remove();
      reject(new Error('The chart library (plotly.min.js) could not be loaded from this server. Reload the page; ' +
        'if that does not help, check that static file serving is switched on.'));
    } });
    document.head.append(tag);
  });
  return library;
}

// A layout with a title and the ground of the page, for a file: on the page the title stands above the chart.
const [TITLE, FOOT, SIDE] = [16, 11, 14]; // pixels of a title and of a foot, and beside them
const [ROW, BELOW] = [30, 48]; // of a legend's row in the font of a file, and of ticks and title below a plot

// Rows of a horizontal legend, its entries packed as Plotly does.
export function legendRows(data, width) {
  let [rows, filled] = [1, 0];
  for (const { name, showlegend } of data) {
    if (showlegend === false || !name) continue;
    const entry = 48 + 6.2 * name.length;
    if (filled && filled + entry > width) [rows, filled] = [rows + 1, 0];
    filled += entry;
  }
  return rows;
}

const lines = (text, yanchor, { yshift, left, size, theme }) => ({ text: text.map(escapeText).join('<br>'), showarrow: false, align: 'left',
  xref: 'paper', x: 0, xanchor: 'left', xshift: SIDE - left, yref: 'paper', y: yanchor === 'top' ? 1 : 0, yanchor, yshift,
  font: { size, color: theme.text } });

// A layout for a file: a title and a foot that says what it was made of, both as many lines as the width asks for, and a legend
// above the plot as high as the fonts of a file make it.
export function printed({ data, layout }, { title, about = '', theme, width, height }) {
  const margin = { ...layout.margin, l: Math.max(layout.margin.l, layout.yaxis?.title?.text ? 88 : 0) };
  const [head, foot] = [wrapped(title, width - 2 * SIDE, TITLE), about ? wrapped(about, width - 2 * SIDE, FOOT) : []];
  const above = layout.legend?.orientation === 'h' && layout.legend.y >= 1 && layout.showlegend !== false;
  const rows = ROW * legendRows(data, width - margin.l - margin.r);
  const room = above ? Math.max(0, rows + 14 - margin.t) : 0;
  if (layout.legend?.yref === 'container') margin.b = Math.max(margin.b, rows + BELOW);
  const [up, foots] = [14 + 1.3 * TITLE * head.length + room, foot.length && 10 + 1.35 * FOOT * foot.length];
  const down = margin.b - layout.margin.b + foots;
  Object.assign(margin, { t: margin.t + up, b: layout.margin.b + down });
  const legend = layout.legend?.yref === 'container' ? { ...layout.legend, y: foots / (height + up + down) } : layout.legend;
  const words = [lines(head, 'top', { yshift: margin.t - 10, left: margin.l, size: TITLE, theme })];
  if (foot.length) words.push(lines(foot, 'bottom', { yshift: 6 - margin.b, left: margin.l, size: FOOT, theme }));
  return { height: height + up + down, layout: { ...layout, title: undefined, selections: [], margin, ...(legend ? { legend } : {}),
    annotations: [...(layout.annotations ?? []), ...words], paper_bgcolor: theme.background, plot_bgcolor: theme.background,
    font: { ...layout.font, color: theme.text, family: PICTURE_FONT } } };
}

export async function savePlot({ data, layout: shown }, { file: filename, format, width, ...more }) {
  const Plotly = await loadPlotly();
  const { layout, height } = printed({ data, layout: structuredClone(shown) }, { width, ...more });
  return Plotly.downloadImage({ data, layout }, { format, filename, width, height, scale: format === 'png' ? 2 : 1 });
}

// Up to this many points a picture is made of SVG shapes; more would make a file that few programs open, so those stay
// the pixels that WebGL painted.
const SHARP = 2000;

// Legend marks of points coloured by numbers would be black: a point of the idle colour without a place stands in.
export function legendStandIn(trace, theme) {
  const { symbol, line } = trace.marker;
  return { type: trace.type, mode: 'markers', x: [null], y: [null], name: trace.name, legendgroup: trace.legendgroup,
    marker: { symbol: Array.isArray(symbol) ? symbol[0] : symbol, color: theme.idle, size: 9, line } };
}

export function drawable(traces, theme) {
  const points = traces.reduce((sum, trace) => sum + (trace.customdata?.length ?? 0), 0);
  const sharp = (trace) => (trace.type === 'scattergl' && points <= SHARP ? { ...trace, type: 'scatter' } : trace);
  return traces.map(sharp).flatMap((trace) => (trace.marker?.coloraxis && trace.showlegend !== false
    ? [{ ...trace, showlegend: false }, legendStandIn(trace, theme)] : [trace]));
}

function download(plot, format) {
  const { message: { title, file, about }, theme } = plot.closest('.if-chart').state;
  return savePlot({ data: drawable(plot.data, theme), layout: plot.layout },
    { title, file, about, theme, format, width: plot.clientWidth, height: plot.layout.height });
}

const pictureButton = (format) => ({
  name: 'Download ' + format.toUpperCase(), title: `Download as ${format.toUpperCase()}`,
  icon: { svg: '<svg xmlns="http://www.w3.org/2000/svg" class="if-picture" viewBox="0 0 24 24"><path d="M11 2h2v8h3l-4 5-4-5h3z"/>' +
    `<text x="12" y="24" text-anchor="middle" font-size="9" font-weight="700">${format.toUpperCase()}</text></svg>` },
  click: (plot) => download(plot, format),
});
// One object for good: Plotly draws all anew when the configuration changes.
export const configOf = (...removed) => ({ scrollZoom: true, displaylogo: false, doubleClick: false,
  modeBarButtonsToRemove: ['toImage', 'sendChartToCloud', 'autoScale2d', ...removed],
  modeBarButtonsToAdd: ['png', 'svg'].map(pictureButton) });

// With a finger, dragging scrolls the page until a tool of the chart is chosen.
export const restingTool = () => (matchMedia('(pointer: coarse)').matches ? false : 'pan');
