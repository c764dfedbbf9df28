"use strict";
// The tensors of the page: base64, inflated, two planes of bytes, 16 bits a number (packing.py).

async function unpack(text, index) {
  const packed = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const words = new Uint16Array(planes.length / 2);
  for (let i = 0; i < words.length; i++) words[i] = (planes[i] << 8) | planes[words.length + i];
  const half = halves(), tensors = {};
  for (const [name, [first, shape, bits]] of Object.entries(index)) {
    const count = shape.reduce((a, b) => a * b, 1);
    if (bits === 32) tensors[name] = new Float32Array(words.slice(first, first + 2 * count).buffer);
    else tensors[name] = Float32Array.from(words.subarray(first, first + count), word => half[word]);
  }
  return tensors;
}

// Every 16-bit number there is: sign, 5 bits of exponent, 10 of mantissa.
function halves() {
  const table = new Float32Array(65536);
  for (let word = 0; word < 65536; word++) {
    const exponent = (word >> 10) & 31, mantissa = word & 1023;
    const size = exponent ? 2 ** (exponent - 15) * (1 + mantissa / 1024) : 2 ** -14 * (mantissa / 1024);
    table[word] = word >> 15 ? -size : size;
  }
  return table;
}

// The singular values of a matrix (rows × columns): the square roots of the eigenvalues of its smaller Gram matrix,
// found by Jacobi's rotations. Sorted, the largest first.
function singularValues(matrix, rows, columns) {
  const n = Math.min(rows, columns), gram = new Float64Array(n * n);
  const at = rows <= columns ? (i, k) => matrix[i * columns + k] : (i, k) => matrix[k * columns + i];
  const length = Math.max(rows, columns);
  for (let i = 0; i < n; i++)
    for (let j = i; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < length; k++) sum += at(i, k) * at(j, k);
      gram[i * n + j] = gram[j * n + i] = sum;
    }
  for (let sweep = 0; sweep < 12; sweep++) {
    let off = 0, size = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) if (i !== j) off += gram[i * n + j] ** 2; else size += gram[i * n + j] ** 2;
    if (off <= 1e-22 * size) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(gram, n, p, q);
  }
  return Array.from({ length: n }, (_, i) => Math.sqrt(Math.max(0, gram[i * n + i]))).sort((a, b) => b - a);
}

function rotate(gram, n, p, q) {
  const apq = gram[p * n + q];
  if (Math.abs(apq) < 1e-300) return;
  const theta = (gram[q * n + q] - gram[p * n + p]) / (2 * apq);
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1), s = t * c;
  for (let k = 0; k < n; k++) {
    const x = gram[k * n + p], y = gram[k * n + q];
    gram[k * n + p] = c * x - s * y; gram[k * n + q] = s * x + c * y;
  }
  for (let k = 0; k < n; k++) {
    const x = gram[p * n + k], y = gram[q * n + k];
    gram[p * n + k] = c * x - s * y; gram[q * n + k] = s * x + c * y;
  }
}

// The base in 4 bits, as quant/ makes it: 64 neighbours share a scale, each takes the nearest of 16 levels. A number on
// the middle of two levels takes the lower one.
function inFourBits({ codebook, scales }, base) {
  const { fround, abs } = Math, quantized = { ...base };
  const levels = Float32Array.from(codebook).sort();
  const middles = levels.slice(1).map((level, k) => fround(level + levels[k]) / 2);
  for (const [name, kept] of Object.entries(scales)) {                 // the scales as their 8 bits give them back
    quantized[name] = new Float32Array(base[name].length);
    rowsOf(base[name], 64).forEach((block, n) => {
      const inverse = fround(1 / block.reduce((largest, value) => Math.max(largest, abs(value)), 1e-38));
      block.forEach((value, i) => {
        const scaled = fround(value * inverse);
        let rank = 0;
        while (rank < 15 && middles[rank] < scaled) rank++;
        quantized[name][64 * n + i] = levels[rank] * kept[n];
      });
    });
  }
  return quantized;
}
