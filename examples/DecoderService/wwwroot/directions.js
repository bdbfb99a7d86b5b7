// The latent plane that the map shows: two coordinates, or the two directions in which the decoded rows vary most.

/// Orthonormal directions of the latent space, most variance of the outputs first: the rows are regressed on standard normal latents, each number in units of its
/// own deviation, and the coefficients' principal directions are taken by subspace iteration.
export function mostVaried(latents, outputs, count, sameUnit) {
  const n = latents.length, d = latents[0].length, m = outputs[0].length, slopes = Array.from({ length: d }, () => new Float64Array(m));
  const mean = new Float64Array(m), square = new Float64Array(m), middle = new Float64Array(d);
  for (let r = 0; r < n; r++) {
    for (let i = 0; i < d; i++) middle[i] += latents[r][i] / n;
    for (let j = 0; j < m; j++) { mean[j] += outputs[r][j] / n; square[j] += outputs[r][j] ** 2 / n; }
  }
  for (let r = 0; r < n; r++) for (let i = 0; i < d; i++) {
    const z = (latents[r][i] - middle[i]) / n, row = slopes[i], output = outputs[r];
    for (let j = 0; j < m; j++) row[j] += z * (output[j] - mean[j]);
  }
  let largest = 0;
  const deviation = mean.map((x, j) => Math.sqrt(Math.max(0, square[j] - x * x)));
  for (const x of deviation) largest = Math.max(largest, x);
  // A number that hardly moves would be made of rounding errors.
  const unit = deviation.map((x, j) => sameUnit ? 1 / (largest || 1) : x > 1e-6 * Math.abs(mean[j]) && x > 0 ? 1 / x : 0);
  const spread = Array.from({ length: d }, () => new Float64Array(d));
  for (let i = 0; i < d; i++) for (let k = 0; k <= i; k++) {
    let sum = 0;
    for (let j = 0; j < m; j++) sum += slopes[i][j] * slopes[k][j] * unit[j] * unit[j];
    spread[i][k] = spread[k][i] = sum;
  }
  const found = Array.from({ length: Math.min(count, d) }, (_, k) => Array.from({ length: d }, (_, i) => (i === k ? 1 : 0) + 0.01 * Math.sin(1 + i + 3 * k)));
  for (let round = 0; round < 300; round++) {
    for (const direction of found) direction.splice(0, d, ...spread.map(row => row.reduce((sum, x, i) => sum + x * direction[i], 0) + 0));
    orthonormalise(found);
  }
  // The sign is free: the largest part points up.
  for (const direction of found) {
    const main = direction.reduce((best, x) => Math.abs(x) > Math.abs(best) ? x : best, 0);
    if (main < 0) direction.forEach((x, i) => { direction[i] = -x; });
  }
  return found;
}
function orthonormalise(directions) {
  directions.forEach((direction, k) => {
    for (let again = 0; again < 2; again++) {
      for (const other of directions.slice(0, k)) {
        const share = dot(direction, other);
        direction.forEach((x, i) => { direction[i] = x - share * other[i]; });
      }
      let length = Math.hypot(...direction);
      // Where nothing varies any more, a coordinate that is not taken yet does.
      if (!(length > 1e-12)) { direction.fill(0); direction[k] = 1; length = 1; } else direction.forEach((x, i) => { direction[i] = x / length; });
    }
  });
}
export const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
