// Invisible: keeps the constant part of a scene in the page, so that a click resends only colours and sizes.
export default function (component) {
  const owner = component.parentElement;
  const scene = unpack(component.data);
  park(owner, scene.fingerprint, scene);
  return () => unpark(owner);
}
