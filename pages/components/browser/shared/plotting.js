// What every chart of our own shares: the library, the theme, the hover box, and pictures to download.

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

// The box beside the mouse: what, and how much.  Text only.
function fillTip(root, sprite, tile, label, score) {
  const tip = root.querySelector('.if-tip');
  showThumb(tip.querySelector('.if-thumb'), sprite, tile);
  tip.querySelector('.if-label').textContent = label;
  tip.querySelector('.if-score').textContent = score;
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

// Up to this many points a picture is made of SVG shapes; more would make a file that few programs open, so those stay
// the pixels that WebGL painted.
const SHARP = 2000;
const TITLE_ROOM = 34;

// Legend marks of points coloured by numbers would be black: a point of the idle colour without a place stands in.
function legendStandIn(trace, theme) {
  const { symbol, line } = trace.marker;
  return { type: trace.type, mode: 'markers', x: [null], y: [null], name: trace.name, legendgroup: trace.legendgroup,
    marker: { symbol: Array.isArray(symbol) ? symbol[0] : symbol, color: theme.idle, size: 9, line } };
}

function pictureOf(plot, { theme, message }) {
  const points = plot.data.reduce((sum, trace) => sum + (trace.customdata?.length ?? 0), 0);
  const sharp = (trace) => (trace.type === 'scattergl' && points <= SHARP ? { ...trace, type: 'scatter' } : trace);
  const data = plot.data.map(sharp).flatMap((trace) => (trace.marker?.coloraxis && trace.showlegend !== false
    ? [{ ...trace, showlegend: false }, legendStandIn(trace, theme)] : [trace]));
  const layout = structuredClone(plot.layout);
  layout.margin.t += TITLE_ROOM;
  const title = { text: escapeText(message.title), showarrow: false, xref: 'paper', x: 0, xanchor: 'left',
    yref: 'paper', y: 1, yanchor: 'top', yshift: layout.margin.t - 10, font: { size: 16 } };
  layout.font.family = PICTURE_FONT;
  const ground = { paper_bgcolor: theme.background, plot_bgcolor: theme.background };
  return { data, layout: { ...layout, ...ground, annotations: [...(layout.annotations ?? []), title], selections: [] } };
}

function download(plot, format) {
  const { state } = plot.closest('.if-chart');
  const size = { width: plot.clientWidth, height: plot.layout.height + TITLE_ROOM, scale: format === 'png' ? 2 : 1 };
  return window.Plotly.downloadImage(pictureOf(plot, state), { format, filename: state.message.file, ...size });
}

const pictureButton = (format) => ({
  name: 'Download ' + format.toUpperCase(), title: `Download as ${format.toUpperCase()}`,
  icon: { svg: '<svg xmlns="http://www.w3.org/2000/svg" class="if-picture" viewBox="0 0 24 24"><path d="M11 2h2v8h3l-4 5-4-5h3z"/>' +
    `<text x="12" y="24" text-anchor="middle" font-size="9" font-weight="700">${format.toUpperCase()}</text></svg>` },
  click: (plot) => download(plot, format),
});
// One object for good: Plotly draws all anew when the configuration changes.
const configOf = (...removed) => ({ scrollZoom: true, displaylogo: false, doubleClick: false,
  modeBarButtonsToRemove: ['toImage', 'sendChartToCloud', 'autoScale2d', ...removed],
  modeBarButtonsToAdd: ['png', 'svg'].map(pictureButton) });

// With a finger, dragging scrolls the page until a tool of the chart is chosen.
const restingTool = () => (matchMedia('(pointer: coarse)').matches ? false : 'pan');

function watchWidth(Plotly, root, plot) {
  let width = plot.clientWidth; // a sidebar or a tab changes the width without any resize of the window
  root.state.observer = new ResizeObserver(() => {
    if (!plot.clientWidth || plot.clientWidth === width) return;
    width = plot.clientWidth;
    Plotly.Plots.resize(plot);
  });
  root.state.observer.observe(plot);
}

// To Plotly, two points clicked within half a second are a double click, and it would undo the zoom: on points it must not.
function resetOnEmptyGround(root, plot) {
  plot.on('plotly_doubleclick', () => {
    if ((root.state.hovered ?? null) === null) plot.querySelector('[data-attr="zoom"][data-val="reset"]').click();
  });
}

function release(root) {
  const { state } = root;
  state.ticket += 1;
  state.observer?.disconnect();
  if (state.plot) window.Plotly?.purge(state.plot); // a browser keeps few WebGL contexts alive
  state.plot = null;
}

// One Plotly chart.  Every change of data runs a component's script again without the cleanup of the run before, so what
// must last (listeners, the newest component handle) lives on the root element.
function chart(component, draw) {
  const root = component.parentElement.querySelector('.if-chart');
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
