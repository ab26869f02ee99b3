// What Streamlit does with a script: it is called at every change of data, nobody waits for what a call promises, and a call
// that was overtaken, or whose element has gone, is cleaned up as soon as it has ended.
import assert from 'node:assert/strict';
import test from 'node:test';
import { message, node, served, starter } from './site.mjs';

const { component } = await served('shared/start.js');
const { store } = await served('shared/wire.js');

const deferred = () => {
  const made = {};
  made.promise = new Promise((resolve) => (made.resolve = resolve));
  return made;
};

// The front end, with modules that come when they are told to.
function page(show) {
  const at = node();
  const calls = [];
  let kept;
  const run = component(show);
  return {
    update(data) {
      if (calls.length) calls.at(-1).overtaken = true;
      const call = { ...deferred(), turn: (at.turn = (at.turn ?? 0) + 1) };
      call.done = call.promise.then(() => run({ parentElement: at, data }, call.turn))
        .then((leave) => (call.overtaken ? leave?.() : (kept = leave)));
      calls.push(call);
      return call;
    },
    unmount() {
      calls.at(-1).overtaken = true;
      kept?.();
    },
  };
}

test('the newest data win, in whatever order modules come', async () => {
  const said = [];
  const { update, unmount } = page(({ data }) => {
    said.push(data);
    return () => said.push(`left ${data}`);
  });
  const [one, two] = [update(1), update(2)];
  two.resolve();
  await two.done;
  one.resolve();
  await one.done;
  assert.deepEqual(said, [2]);
  unmount();
  assert.deepEqual(said, [2, 'left 2']);
});

test('the cleanup of an overtaken call does not undo the call after it', async () => {
  const said = [];
  const { update, unmount } = page(({ data }) => {
    said.push(data);
    return () => said.push(`left ${data}`);
  });
  const one = update(1);
  one.resolve();
  await one.promise; // shown, and its cleanup not yet handed over
  const two = update(2);
  await one.done;
  two.resolve();
  await two.done;
  assert.deepEqual(said, [1, 2]);
  unmount();
  assert.deepEqual(said, [1, 2, 'left 2']);
});

test('an element that has gone before its module came is left at once', async () => {
  const said = [];
  const { update, unmount } = page(({ data }, current) => {
    said.push(data, current());
    return () => said.push('left', current());
  });
  const one = update(1);
  unmount();
  one.resolve();
  await one.done;
  assert.deepEqual(said, [1, true, 'left', false]);
});

test('the script of a component imports its module and shows the newest data', async () => {
  const [show, at] = [await starter('parcel'), node()];
  const calls = [1, 2].map(() => show({ parentElement: at, data: new Uint8Array(message) }));
  const [first, second] = await Promise.all(calls);
  first?.();
  assert.equal(store.size, 1);
  const third = show({ parentElement: at, data: new Uint8Array(message) }); // at once: the module is there
  second();
  assert.equal(store.size, 1);
  third();
  assert.equal(store.size, 0);
  assert.deepEqual(at.children, []);
});

test('a module that does not come is said once, in words, and unsaid when it comes', async (t) => {
  t.mock.method(console, 'error', () => undefined);
  const [missing, there, at] = [await starter('missing'), await starter('parcel'), node()];
  for (let k = 0; k < 2; k++) await missing({ parentElement: at, data: new Uint8Array(message) });
  assert.equal(at.children.length, 1);
  assert.equal(at.children[0].role, 'alert');
  assert.match(at.children[0].textContent, /could not be loaded from the server\. Reload it\./);
  (await there({ parentElement: at, data: new Uint8Array(message) }))();
  assert.deepEqual(at.children, []);
});
