// Two buttons that download the chart of a Streamlit element, drawn again by our own library with title and ground.
import { palette } from '../shared/palette.js';
import { savePlot } from '../shared/plotting.js';
import { component } from '../shared/start.js';
import FRAME from './component.html.js';
import STYLE from './component.css.js';

async function save(root, format) {
  const { chart, title, file, about } = root.contents;
  const plot = document.querySelector(`.st-key-${CSS.escape(chart)} .js-plotly-plot`);
  if (!plot) throw new Error('The chart is not on the page any more. Reload the page and try again.');
  const { width, height, margin } = plot._fullLayout;
  const layout = { ...plot.layout, margin: { ...margin, r: Math.max(margin.r, 16) } };
  await savePlot({ data: plot.data, layout }, { title, file, about, theme: palette(root), format, width, height });
}

export default component(({ parentElement, data }) => {
  const root = parentElement.querySelector('.if-pictures');
  const first = !root.contents;
  root.contents = data;
  if (!first) return;
  root.innerHTML = FRAME;
  const said = root.querySelector('.if-error');
  for (const button of root.querySelectorAll('button')) {
    button.addEventListener('click', () => {
      said.textContent = '';
      save(root, button.value).catch((error) => {
        console.error(error);
        said.textContent = error.message;
      });
    });
  }
}, STYLE);
