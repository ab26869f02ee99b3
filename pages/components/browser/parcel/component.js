// Invisible: keeps the constant part of a scene in the page, so that a click sends only what it changes.
import { component } from '../shared/start.js';
import { park, unpack, unpark } from '../shared/wire.js';

export default component(({ parentElement: owner, data }) => {
  const scene = unpack(data);
  park(owner, scene.fingerprint, scene);
  return () => unpark(owner);
});
