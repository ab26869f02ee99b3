// Reads what pack() in bridge.py wrote: the header's fields and the arrays by name, in one object.
export function unpack(data) {
  const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const length = new DataView(bytes).getUint32(0, true);
  const message = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  let offset = 4 + length;
  for (const [name, kind, size] of message.arrays) {
    message[name] = new (kind === 'f' ? Float32Array : Int32Array)(bytes, offset, size);
    offset += 4 * size;
  }
  return message;
}

// Constants parked in the page by one component for another, by fingerprint.  An entry belongs to the element that parked it
// and goes when that element goes.
export const store = new Map();

function entryOf(fingerprint) {
  if (!store.has(fingerprint)) {
    const entry = {};
    entry.promise = new Promise((resolve) => (entry.resolve = resolve));
    store.set(fingerprint, entry);
  }
  return store.get(fingerprint);
}

export function park(owner, fingerprint, value) {
  if (owner.parked !== fingerprint) unpark(owner);
  owner.parked = fingerprint;
  const entry = entryOf(fingerprint);
  entry.owner = owner;
  entry.resolve(value);
}

export function unpark(owner) {
  if (store.get(owner.parked)?.owner === owner) store.delete(owner.parked);
}

export const parked = (fingerprint) => entryOf(fingerprint).promise;
