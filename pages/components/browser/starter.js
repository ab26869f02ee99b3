let show;
export default (c,at=c.parentElement,turn=(at.turn=-~at.turn))=>show?show(c,turn):
import(new URL('ADDRESS',document.baseURI)).then((m)=>(show=m.default)(c,turn),()=>
at.append(at.failed??=Object.assign(document.createElement('p'),{role:'alert',
textContent:'Part of the page could not be loaded from the server. Reload it.'})));
