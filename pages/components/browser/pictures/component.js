// Two buttons that download the chart of a Streamlit element, drawn again by our own library with title and ground.
function chartOf(key) {
  return document.querySelector(`.st-key-${CSS.escape(key)} .js-plotly-plot`);
}

async function save(root, format) {
  const { header } = root.state;
  const Plotly = await loadPlotly();
  const plot = chartOf(header.chart);
  if (!plot) throw new Error('The chart is not on the page any more. Reload the page and try again.');
  const theme = palette(root);
  const { width, height, margin } = plot._fullLayout;
  const layout = structuredClone(plot.layout);
  const title = { text: escapeText(header.title), showarrow: false, xref: 'paper', x: 0, xanchor: 'left', yref: 'paper', y: 1,
    yanchor: 'top', yshift: margin.t + TITLE_ROOM - 10, font: { size: 16, color: theme.text } };
  Object.assign(layout, { paper_bgcolor: theme.background, plot_bgcolor: theme.background, title: undefined,
    margin: { ...margin, r: Math.max(margin.r, 16), t: margin.t + TITLE_ROOM }, annotations: [...(layout.annotations ?? []), title],
    font: { ...layout.font, color: theme.text, family: PICTURE_FONT } });
  await Plotly.downloadImage({ data: plot.data, layout }, { format, filename: header.file, width,
    height: height + TITLE_ROOM, scale: format === 'png' ? 2 : 1 });
}

export default function (component) {
  const root = component.parentElement.querySelector('.if-pictures');
  const first = !root.state;
  (root.state ??= {}).header = component.data;
  if (!first) return;
  const said = root.querySelector('.if-error');
  for (const button of root.querySelectorAll('button')) {
    button.disabled = false; // only a button that hears takes a click
    button.addEventListener('click', () => {
      said.textContent = '';
      save(root, button.value).catch((error) => {
        console.error(error);
        said.textContent = error.message;
      });
    });
  }
}
