// Three small buttons; contents() tells what to draw and to write at the time of the click.
function fileButtons(holder, contents) {
  if (holder.childElementCount) return;
  const files = () => import(new URL('./app/static/picture_files.js', document.baseURI));
  const said = Object.assign(document.createElement('span'), { role: 'alert' });
  const buttons = ['PNG', 'SVG', 'CSV'].map((kind) => {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: kind });
    button.setAttribute('aria-label', `Download as ${kind}`);
    button.addEventListener('click', async () => {
      said.textContent = '';
      try {
        const { savePicture, saveTable } = await files();
        await (kind === 'CSV' ? saveTable(contents()) : savePicture(kind.toLowerCase(), contents()));
      } catch (error) {
        console.error(error);
        said.textContent = `The file could not be made: ${error.message}`;
      }
    });
    return button;
  });
  holder.append(...buttons, said);
}
