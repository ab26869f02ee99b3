import assert from 'node:assert/strict';
import test from 'node:test';
import { facts, message, served } from './site.mjs';

const { park, parked, store, unpack, unpark } = await served('shared/wire.js');

test('a packed message comes out as it went in, also from the middle of a buffer', () => {
  const shifted = new Uint8Array(message.length + 3);
  shifted.set(message, 3);
  for (const data of [new Uint8Array(message), shifted.subarray(3)]) {
    const { fingerprint, n, x, none, at } = unpack(data);
    assert.equal(fingerprint, 'ä “1”');
    assert.equal(n, null);
    assert.deepEqual(Array.from(x, (value) => (Number.isNaN(value) ? null : value)), facts.values);
    assert.ok(x instanceof Float32Array && none instanceof Float32Array && at instanceof Int32Array);
    assert.deepEqual([none.length, ...at], [0, 7, -1]);
  }
});

test('who waits for a constant gets it when it comes', async () => {
  const waiting = parked('late');
  park({}, 'late', 42);
  assert.equal(await waiting, 42);
  assert.equal(await parked('late'), 42);
  store.clear();
});

test('a constant goes with its last owner, and with nobody else', () => {
  const [first, second] = [{}, {}];
  park(first, 'a', 1);
  park(second, 'a', 1); // the same scene, mounted in another place before the first has gone
  unpark(first);
  assert.ok(store.has('a'));
  park(second, 'b', 2);
  assert.deepEqual([...store.keys()], ['b']);
  unpark(second);
  assert.equal(store.size, 0);
});
