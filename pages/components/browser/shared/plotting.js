// Plotly.js itself, and pictures of charts to download.
import { element } from './dom.js';
import { LIBRARY } from './library.js';
import { PICTURE_FONT, escapeText } from './palette.js';

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
const TITLE_ROOM = 34;

function printed(layout, title, theme) {
  const t = layout.margin.t + TITLE_ROOM;
  const words = { text: escapeText(title), showarrow: false, xref: 'paper', x: 0, xanchor: 'left', yref: 'paper', y: 1,
    yanchor: 'top', yshift: t - 10, font: { size: 16, color: theme.text } };
  return { ...layout, title: undefined, selections: [], margin: { ...layout.margin, t }, annotations: [...(layout.annotations ?? []), words],
    paper_bgcolor: theme.background, plot_bgcolor: theme.background,
    font: { ...layout.font, color: theme.text, family: PICTURE_FONT } };
}

export async function savePlot({ data, layout }, { title, file: filename, theme, width, height, format }) {
  const Plotly = await loadPlotly();
  return Plotly.downloadImage({ data, layout: printed(structuredClone(layout), title, theme) },
    { format, filename, width, height: height + TITLE_ROOM, scale: format === 'png' ? 2 : 1 });
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
  const { message: { title, file }, theme } = plot.closest('.if-chart').state;
  return savePlot({ data: drawable(plot.data, theme), layout: plot.layout },
    { title, file, theme, format, width: plot.clientWidth, height: plot.layout.height });
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
