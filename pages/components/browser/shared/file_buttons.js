// Three small buttons; contents() tells what to draw and to write at the time of the click.
import { element } from './dom.js';
import STYLE from './file_buttons.css.js';

export function fileButtons(holder, contents) {
  if (holder.childElementCount) return;
  const said = element('span', { role: 'alert' });
  const buttons = ['PNG', 'SVG', 'CSV'].map((kind) => element('button', { type: 'button', ariaLabel: `Download as ${kind}`,
    onclick: async () => {
      said.textContent = '';
      try {
        const { savePicture, saveTable } = await import('./picture_files.js');
        await (kind === 'CSV' ? saveTable(contents()) : savePicture(kind.toLowerCase(), contents()));
      } catch (error) {
        console.error(error);
        said.textContent = `The file could not be made: ${error.message}`;
      }
    } }, kind));
  holder.replaceChildren(element('style', {}, STYLE), ...buttons, said);
}
