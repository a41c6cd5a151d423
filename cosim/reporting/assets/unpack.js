// Columns out of one compressed text: base64, gzip, bytes of equal rank beside each other.

const KINDS = {
  u1: Uint8Array,
  u2: Uint16Array,
  i2: Int16Array,
  i4: Int32Array,
  f4: Float32Array,
  f8: Float64Array,
};

async function inflated(text) {
  const packed = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// One column, in the units of its table.
function column(bytes, start, entry) {
  const size = KINDS[entry.kind].BYTES_PER_ELEMENT,
    { length } = entry;
  const joined = new Uint8Array(length * size);
  for (let rank = 0; rank < size; rank++) {
    const from = start + rank * length;
    for (let n = 0; n < length; n++) joined[n * size + rank] = bytes[from + n];
  }
  const values = new KINDS[entry.kind](joined.buffer);
  if (entry.unit === 1 && !entry.rising) return values;
  const scaled = new Float64Array(length);
  let sum = 0;
  for (let n = 0; n < length; n++) {
    sum = entry.rising ? sum + values[n] : values[n];
    scaled[n] = sum * entry.unit;
  }
  return scaled;
}

// Tables of columns, from names such as `transfers.src`.
async function unpacked(text, index) {
  const bytes = await inflated(text.trim());
  const tables = {};
  let start = 0;
  for (const entry of index) {
    const [table, name] = entry.name.split(".");
    tables[table] ??= {};
    tables[table][name] = column(bytes, start, entry);
    start += entry.length * KINDS[entry.kind].BYTES_PER_ELEMENT;
  }
  return tables;
}
