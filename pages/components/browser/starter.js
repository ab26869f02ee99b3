let show;
export default (component, at = component.parentElement, turn = (at.turn = (at.turn ?? 0) + 1)) => show ? show(component, turn) :
  import(new URL('ADDRESS', document.baseURI)).then((module) => (show = module.default)(component, turn), (error) => {
    console.error(error);
    at.append(at.failed ??= Object.assign(document.createElement('p'), { role: 'alert',
      style: 'padding:1rem;border:1px solid #8886;border-radius:.5rem',
      textContent: 'This part of the page could not be loaded from the server. Reload the page; if that does not help, check ' +
        'that static file serving is switched on.' }));
  });
