// What the page shows of a decoded row, by the kind of data: a conformation as beads, named columns as bars, other vectors as a line, a sequence as letters.
// A view has: name (what is shown), draw (the canvas, once a frame), describe (the rest, once a decoded row; gives the words for who does not see it),
// goals and goal (what can be optimised), colours (numbers that the map may be coloured by).
const $ = id => document.getElementById(id);
export const quantile = (values, share) => { const sorted = [...values].sort((a, b) => a - b); return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]; };

/// A number in four digits, without an exponent where it can be read without.
export function digits(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

export function viewOf(info) {
  const { rows } = info;
  if (rows.kind === 'conformation') return new Conformation(info);
  if (rows.kind === 'sequence') return new Sequence(info);
  return rows.names.length ? new Bars(info) : new Line(info);
}

function setOptions(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

// ---- conformations
const distance = (a, b) => Math.hypot(...a.map((x, i) => x - b[i]));
const reachOf = beads => Math.max(...beads.map(bead => Math.hypot(...bead)));
function gyration(beads) {
  const centre = beads[0].map((_, k) => beads.reduce((sum, bead) => sum + bead[k], 0) / beads.length);
  return Math.sqrt(beads.reduce((sum, bead) => sum + distance(bead, centre) ** 2, 0) / beads.length);
}

class Conformation {
  name = 'Decoded shape';
  keep = 'keep it physical';
  colours = [];
  bounds = 1;
  constructor(info) {
    this.dimensions = info.rows.dimensions;
    setOptions($('goal'), [['compact', 'most compact'], ['extended', 'most extended']]);
    $('way').hidden = true;
  }
  points(output) {
    const d = this.dimensions, beads = [];
    for (let i = 0; i + d <= output.length; i += d) beads.push(Array.from(output.slice(i, i + d)));
    return beads;
  }
  // The scale of the shape is that of the data's long chains, so that small ones look small; a longer one makes it grow.
  ready(samples, data) {
    this.data = data?.bondRange ? data : null;
    this.bounds = 1.15 * quantile(samples.map(output => reachOf(this.points(output))), 0.9);
    $('range-help').textContent = this.data
      ? `Range of the data’s bonds: ${data.bondRange[0].toFixed(3)} to ${data.bondRange[1].toFixed(3)} (the shaded part of the gauge); nearest beads that are not bonded: ${data.contactMinimum.toFixed(3)}.`
      : '';
  }
  show(output) { this.chain = this.points(output); }
  draw(g, width, height, colours) {
    const chain = this.chain, data = this.data;
    this.bounds = Math.max(this.bounds, 1.05 * reachOf(chain));
    const s = Math.min(width / (2 * this.bounds), height / (1.2 * this.bounds)), at = ([x, y]) => [width / 2 + x * s, height / 2 - (y ?? 0) * s];
    const range = data?.bondRange, radius = Math.max(4, 0.3 * s * (range ? range[0] : 0.7));
    for (let i = 1; i < chain.length; i++) {
      const length = distance(chain[i - 1], chain[i]), bad = range && (length < range[0] || length > range[1]);
      g.strokeStyle = bad ? colours.bad : colours.bond; g.lineWidth = bad ? 5 : 4; g.setLineDash(bad ? [7, 5] : []);
      g.beginPath(); g.moveTo(...at(chain[i - 1])); g.lineTo(...at(chain[i])); g.stroke();
    }
    g.setLineDash([]);
    chain.forEach((bead, i) => {
      g.fillStyle = colours.bead; g.strokeStyle = colours['bead-edge']; g.lineWidth = 1.5;
      g.beginPath(); g.arc(...at(bead), radius, 0, 2 * Math.PI); g.fill(); g.stroke();
      if (i === 0 || i === chain.length - 1) {
        g.fillStyle = colours.panel; g.font = `bold ${Math.max(9, radius)}px system-ui, sans-serif`; g.textAlign = 'center'; g.textBaseline = 'middle';
        g.fillText(String(i + 1), ...at(bead)); g.textBaseline = 'alphabetic';
      }
    });
  }
  describe() {
    $('rg').textContent = gyration(this.chain).toFixed(3);
    this.tabulate();
    return `The decoded chain, radius of gyration ${$('rg').textContent}. ${$('verdict').textContent}`;
  }
  tabulate() {
    const chain = this.chain, bonds = chain.length - 1, rows = $('bonds'), data = this.data, range = data?.bondRange;
    while (rows.rows.length > bonds) rows.deleteRow(-1);
    while (rows.rows.length < bonds) {
      const row = rows.insertRow(), i = rows.rows.length;
      row.innerHTML = `<th scope="row">${i}–${i + 1}</th><td></td><td><div class="gauge" aria-hidden="true"><i></i><b></b></div></td><td class="ok"></td>`;
    }
    let wrong = 0;
    for (let i = 0; i < bonds; i++) {
      const row = rows.rows[i], length = distance(chain[i], chain[i + 1]), state = !range ? '' : length < range[0] ? '✗ short' : length > range[1] ? '✗ long' : '✓ ok';
      if (state.startsWith('✗')) wrong++;
      row.className = state.startsWith('✗') ? 'bad' : '';
      row.cells[1].textContent = length.toFixed(3);
      row.cells[3].textContent = state;
      const place = range ? (length - range[0]) / (range[1] - range[0]) : 0.5;
      row.querySelector('b').style.left = `${Math.min(98, Math.max(2, 25 + 50 * place))}%`;
    }
    let nearest = Infinity;
    for (let i = 0; i < chain.length; i++) for (let j = i + 2; j < chain.length; j++) nearest = Math.min(nearest, distance(chain[i], chain[j]));
    const clash = data && nearest < data.contactMinimum, verdict = $('verdict');
    const problems = [wrong ? `${wrong} of ${bonds} bonds outside the data’s range` : '', clash ? `two beads at ${nearest.toFixed(2)}, nearer than ${data.contactMinimum.toFixed(2)}` : ''].filter(Boolean);
    verdict.textContent = !range ? 'No data to compare with.' : problems.length ? `✗ Unphysical: ${problems.join('; ')}.` : `✓ Physical: all ${bonds} bonds are in the data’s range.`;
    verdict.className = 'verdict ' + (!range ? '' : problems.length ? 'bad-text' : 'good-text');
  }
  goal(keep) {
    const objective = { dimensions: this.dimensions, radiusOfGyration: { weight: $('goal').value === 'compact' ? 1 : -1 } };
    if (keep && this.data) {
      objective.bondLengths = { minimum: this.data.bondRange[0], maximum: this.data.bondRange[1], weight: 20 };
      objective.nonBondedDistances = { minimum: this.data.contactMinimum, weight: 20 };
    }
    return { objective, priorWeight: keep ? 0.02 : 0 };
  }
}

// ---- vectors
const HIGH_LOW = [['high', 'as high as can be'], ['low', 'as low as can be']];

class Vector {
  keep = 'stay near the data';
  constructor(info) {
    this.size = info.featureCount;
    this.low = info.rows.low; this.high = info.rows.high;
    this.known = this.low.length > 0;
    this.labels = info.rows.names.length ? info.rows.names : Array.from({ length: this.size }, (_, j) => `number ${j + 1}`);
    setOptions($('goal'), this.labels.map((name, j) => [j, name]));
    setOptions($('way'), HIGH_LOW);
    $('way').hidden = false;
    this.colours = this.labels.map((name, j) => ({ name, of: output => output[j], range: () => [this.low[j], this.high[j]] }));
  }
  // Files of earlier versions have no range of the data: then it is that of the samples.
  ready(samples) {
    if (this.known) return;
    this.low = []; this.high = [];
    for (let j = 0; j < this.size; j++) {
      const column = samples.map(output => output[j]);
      this.low.push(Math.min(...column)); this.high.push(Math.max(...column));
    }
  }
  show(output) { this.row = output; }
  goal(keep) {
    const j = Number($('goal').value), width = this.high[j] - this.low[j] || 1;
    return { objective: { features: [{ index: j, weight: ($('way').value === 'high' ? -1 : 1) / width }] }, priorWeight: keep ? 0.1 : 0 };
  }
  get source() { return this.known ? 'training rows' : 'model’s samples'; }
}

class Bars extends Vector {
  name = 'Decoded row';
  constructor(info) {
    super(info);
    $('bars').replaceChildren(...this.labels.map(name => {
      const row = document.createElement('tr');
      row.innerHTML = '<th scope="row"></th><td class="bar"><div class="column" aria-hidden="true"><i></i><b></b></div></td><td class="number"></td><td class="place"></td>';
      row.cells[0].textContent = row.cells[0].title = name;
      return row;
    }));
    this.parts = [...$('bars').rows].map(row => ({ row, fill: row.querySelector('b'), value: row.cells[2], place: row.cells[3] }));
  }
  ready(samples) {
    super.ready(samples);
    $('bars-help').textContent = `Shaded: where 98 % of the ${this.source} lie. ↓ and ↑: beyond.`;
    this.parts.forEach(({ row }, j) => { row.title = `${this.labels[j]}: ${digits(this.low[j])} to ${digits(this.high[j])} in the ${this.source}`; });
  }
  describe() {
    for (let j = 0; j < this.parts.length; j++) {
      const { row, fill, value, place } = this.parts[j], x = this.row[j], low = this.low[j], high = this.high[j];
      // The range takes the middle 84 % of the bar; rounding of a constant column is not beyond it.
      const share = high > low ? (x - low) / (high - low) : 0.5, edge = 1e-4 * Math.max(Math.abs(low), Math.abs(high), high - low);
      const beyond = x < low - edge ? '↓' : x > high + edge ? '↑' : '';
      fill.style.width = `${Math.min(100, Math.max(0.5, 8 + 84 * share))}%`;
      value.textContent = digits(x);
      place.textContent = beyond;
      row.className = beyond ? 'bad' : '';
    }
    return `The decoded row. ${this.labels.slice(0, 12).map((name, j) => `${name} ${digits(this.row[j])}`).join(', ')}${this.size > 12 ? ' and more' : ''}.`;
  }
}

class Line extends Vector {
  name = 'Decoded numbers';
  ready(samples) {
    super.ready(samples);
    this.bottom = Math.min(...this.low); this.top = Math.max(...this.high);
  }
  draw(g, width, height, colours) {
    const row = this.row, n = row.length, left = 58, right = 12, top = 12, bottom = 26;
    let low = this.bottom, high = this.top;
    for (const x of row) { low = Math.min(low, x); high = Math.max(high, x); }
    if (!(high > low)) { low -= 1; high += 1; }
    const x = j => left + (n > 1 ? j / (n - 1) : 0.5) * (width - left - right), y = v => height - bottom - (v - low) / (high - low) * (height - top - bottom);
    g.fillStyle = colours.range;
    g.beginPath();
    for (let j = 0; j < n; j++) g.lineTo(x(j), y(this.high[j]));
    for (let j = n - 1; j >= 0; j--) g.lineTo(x(j), y(this.low[j]));
    g.fill();
    g.strokeStyle = colours.line; g.lineWidth = 1;
    g.strokeRect(left, top, width - left - right, height - top - bottom);
    g.strokeStyle = colours.bead; g.lineWidth = 2; g.lineJoin = 'round';
    g.beginPath();
    for (let j = 0; j < n; j++) g.lineTo(x(j), y(row[j]));
    g.stroke();
    if (n <= 60) {
      g.fillStyle = colours.bead;
      for (let j = 0; j < n; j++) { g.beginPath(); g.arc(x(j), y(row[j]), 3, 0, 2 * Math.PI); g.fill(); }
    }
    g.fillStyle = colours.muted; g.font = '12px system-ui, sans-serif'; g.textAlign = 'right';
    g.fillText(digits(high), left - 6, top + 10); g.fillText(digits(low), left - 6, height - bottom);
    g.textAlign = 'center';
    for (const j of new Set([0, Math.floor(n / 2), n - 1])) g.fillText(String(j + 1), x(j), height - 8);
  }
  describe() {
    const row = Array.from(this.row);
    $('line-help').textContent = `Shaded: where 98 % of each number of the ${this.source} lie. Shown: ${digits(Math.min(...row))} to ${digits(Math.max(...row))}.`;
    return `The ${this.size} decoded numbers as a line, from ${digits(Math.min(...row))} to ${digits(Math.max(...row))}.`;
  }
}

// ---- sequences
// Letters of proteins by what they are like; those of other alphabets by their place in it.
const PROTEIN = { AVILMC: 1, STNQ: 2, KRH: 3, DE: 4, GP: 5, FWY: 6 };
const CLASSES = ['hydrophobic', 'polar', 'positive', 'negative', 'glycine, proline', 'aromatic'];

class Sequence {
  name = 'Decoded sequence';
  keep = 'stay near the family';
  constructor(info) {
    this.symbols = info.rows.symbols; this.positions = info.rows.positions;
    const protein = [...'ACDEFGHIKLMNPQRSTVWY'].every(letter => this.symbols.includes(letter));
    this.classOf = Object.fromEntries([...this.symbols].map((letter, k) => [letter, letter === '-' ? 'c0' : protein
      ? `c${Object.entries(PROTEIN).find(([letters]) => letters.includes(letter))?.[1] ?? 0}` : `c${1 + k % 6}`]));
    const numbered = this.positions.map((position, column) => [position, column]).filter(([position]) => position !== null);
    setOptions($('goal'), numbered.map(([position]) => [position, `position ${position}`]));
    setOptions($('way'), [...this.symbols].map(letter => [letter, letter === '-' ? 'gap' : letter]));
    $('way').hidden = false;
    $('letters').replaceChildren(...this.positions.map((position, column) => {
      const cell = document.createElement('span');
      cell.innerHTML = '<b></b><i></i><small></small>';
      if ((position ?? column + 1) % 10 === 0 || column === 0) cell.lastChild.textContent = position ?? '';
      return cell;
    }));
    this.cells = [...$('letters').children].map(cell => ({ cell, letter: cell.children[0], bar: cell.children[1] }));
    $('letters-help').textContent = 'The most probable letter at each position; the bar under it is its probability. Numbers are those of the reference.';
    $('letters-legend').replaceChildren(...(protein ? CLASSES : []).map((name, k) => {
      const item = document.createElement('span');
      item.innerHTML = `<b class="c${k + 1}"></b>`;
      item.append(name);
      return item;
    }));
    const k = this.symbols.length;
    this.colours = [{ name: 'certainty', range: () => [1 / k, 1], of: output => {
      let sum = 0;
      for (let i = 0; i < output.length; i += k) { let best = 0; for (let s = 0; s < k; s++) best = Math.max(best, output[i + s]); sum += best; }
      return sum / (output.length / k);
    } }];
  }
  ready() {}
  show(output) { this.row = output; }
  describe() {
    const k = this.symbols.length;
    let text = '';
    this.cells.forEach(({ cell, letter, bar }, column) => {
      let best = 0;
      for (let s = 1; s < k; s++) if (this.row[column * k + s] > this.row[column * k + best]) best = s;
      const symbol = this.symbols[best], p = this.row[column * k + best];
      text += symbol;
      if (letter.textContent !== symbol) { letter.textContent = symbol; cell.className = this.classOf[symbol]; }
      bar.style.width = `${100 * p}%`;
      cell.title = `${this.positions[column] ?? 'no number'}: ${symbol} ${(100 * p).toFixed(0)} %`;
    });
    $('sequence').textContent = text;
    return `The decoded sequence: ${text}.`;
  }
  goal(keep) {
    return { objective: { letters: [{ position: Number($('goal').value), letter: $('way').value }] }, priorWeight: keep ? 0.1 : 0 };
  }
}
