// Reads what pack() in assets.py wrote: the header's fields and the arrays by name, in one object.
function unpack(data) {
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

// Constants parked in the page by one component for another, by fingerprint.  Modules cannot see each other, so the
// store lives on window.  An entry belongs to the element that parked it and goes when that element goes.
function entryOf(fingerprint) {
  const store = (window.influenceStore ??= new Map());
  if (!store.has(fingerprint)) {
    const entry = {};
    entry.promise = new Promise((resolve) => (entry.resolve = resolve));
    store.set(fingerprint, entry);
  }
  return store.get(fingerprint);
}

function park(owner, fingerprint, value) {
  if (owner.parked !== fingerprint) unpark(owner);
  owner.parked = fingerprint;
  const entry = entryOf(fingerprint);
  entry.owner = owner;
  entry.resolve(value);
}

function unpark(owner) {
  const entry = window.influenceStore?.get(owner.parked);
  if (entry?.owner === owner) window.influenceStore.delete(owner.parked);
}

const parked = (fingerprint) => entryOf(fingerprint).promise;
