// The latent explorer: a map of the latent plane; the decoder runs here in the browser where WebAssembly is to be had, else in the service.
const $ = id => document.getElementById(id);
const map = $('map'), shape = $('shape');
const RINGS = [0.5, 0.9, 0.99].map(p => [Math.sqrt(-2 * Math.log(1 - p)), `${100 * p} %`]);
const VIRIDIS = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];
const FILM_STEPS = 90;

let info, data = null, decoder = null, extent = 4;
let wanted = [0, 0], decoding = false, chain = null;
let marks = [], film = null, playing = false, frame = 0, direction = 1;
let cloud = null, colours = {}, bounds = 1, costs = [], redraw = true, fresh = false;

// ---- decoding
class BrowserDecoder {
  static async load() {
    const ort = await import('./ort/ort.wasm.min.mjs');
    // Its warning about the decoder's optional input is not a problem.
    ort.env.logLevel = 'error';
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = new URL('./ort/', location.href).href;
    const own = new BrowserDecoder();
    own.ort = ort;
    own.session = await ort.InferenceSession.create(new Uint8Array(await (await get('model/decoder.onnx')).arrayBuffer()), { graphOptimizationLevel: 'all', logSeverityLevel: 3 });
    await own.decode([0, 0]);
    return own;
  }
  get name() { return 'in the browser'; }
  async decode(z) {
    const latent = new this.ort.Tensor('float32', Float32Array.from(z), [1, z.length]);
    const { Reconstruction } = await this.session.run({ Latent: latent }, ['Reconstruction']);
    return Reconstruction.data;
  }
}
class ServiceDecoder {
  get name() { return 'by the service'; }
  async decode(z) { return (await post('decode', { latents: [z] })).outputs[0]; }
}
async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}
async function post(path, body) {
  const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const content = await answer.json();
  if (answer.ok) return content;
  const fields = Object.entries(content.errors ?? {}).map(([field, problems]) => `${field} ${problems[0]}`);
  throw new Error(fields.join(' ') || content.detail || content.title || `${path}: ${answer.status}`);
}

// ---- the chain
const dimensions = () => data?.dimensions ?? 2;
function points(output) {
  const d = dimensions(), beads = [];
  for (let i = 0; i + d <= output.length; i += d) beads.push(Array.from(output.slice(i, i + d)));
  return beads;
}
const distance = (a, b) => Math.hypot(...a.map((x, i) => x - b[i]));
const reachOf = beads => Math.max(...beads.map(bead => Math.hypot(...bead)));
const quantile = (values, share) => { const sorted = [...values].sort((a, b) => a - b); return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]; };
function gyration(beads) {
  const centre = beads[0].map((_, k) => beads.reduce((sum, bead) => sum + bead[k], 0) / beads.length);
  return Math.sqrt(beads.reduce((sum, bead) => sum + distance(bead, centre) ** 2, 0) / beads.length);
}

// ---- drawing
function fit(canvas) {
  const ratio = Math.min(3, devicePixelRatio || 1), width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [g, canvas.clientWidth, canvas.clientHeight];
}
function scaleOf(canvas) { return Math.min(canvas.clientWidth, canvas.clientHeight) / (2 * extent); }
function toPixel([x, y]) { const s = scaleOf(map); return [map.clientWidth / 2 + x * s, map.clientHeight / 2 - y * s]; }
function toLatent(event) {
  const box = map.getBoundingClientRect(), s = scaleOf(map);
  return [(event.clientX - box.left - box.width / 2) / s, -(event.clientY - box.top - box.height / 2) / s];
}
// The palette's ends are left out where they would drown in the page: yellow on white, violet on black.
const dark = matchMedia('(prefers-color-scheme: dark)');
function viridis(t) {
  t = dark.matches ? 0.25 + 0.75 * Math.min(1, Math.max(0, t)) : 0.93 * t;
  const x = Math.min(0.9999, Math.max(0, t)) * (VIRIDIS.length - 1), i = Math.floor(x), f = x - i;
  return `rgb(${VIRIDIS[i].map((c, k) => Math.round(c + f * (VIRIDIS[i + 1][k] - c)))})`;
}
function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = new Proxy({}, { get: (_, name) => style.getPropertyValue('--' + name).trim() });
  colours = Object.fromEntries(['panel', 'text', 'muted', 'line', 'ring', 'mark', 'path', 'bead', 'bead-edge', 'bond', 'bad'].map(name => [name, colours[name]]));
}
function gyrationRange() {
  const sorted = Float64Array.from(data.radiusOfGyration).sort();
  return [sorted[Math.floor(0.01 * sorted.length)], sorted[Math.ceil(0.99 * sorted.length) - 1]];
}
function drawLegend() {
  if (!data) return;
  const [low, high] = gyrationRange(), g = $('scale').getContext('2d');
  $('rg-low').textContent = low.toFixed(2); $('rg-high').textContent = high.toFixed(2);
  for (let i = 0; i < 256; i++) { g.fillStyle = viridis(i / 255); g.fillRect(i, 0, 1, 1); }
}
function drawCloud() {
  cloud = document.createElement('canvas');
  cloud.width = map.width; cloud.height = map.height;
  const ratio = map.width / map.clientWidth, g = cloud.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (data) {
    const [low, high] = gyrationRange(), size = Math.max(1, map.clientWidth / 330);
    g.globalAlpha = 0.8;
    data.latents.forEach((z, i) => {
      g.fillStyle = viridis((data.radiusOfGyration[i] - low) / (high - low || 1));
      g.beginPath(); g.arc(...toPixel(z), size, 0, 2 * Math.PI); g.fill();
    });
    g.globalAlpha = 1;
  }
  g.strokeStyle = colours.line;
  g.beginPath();
  const [cx, cy] = toPixel([0, 0]);
  g.moveTo(cx, 0); g.lineTo(cx, map.clientHeight); g.moveTo(0, cy); g.lineTo(map.clientWidth, cy);
  g.stroke();
  g.font = '12px system-ui, sans-serif'; g.textAlign = 'center';
  for (const [radius, text] of RINGS) {
    g.strokeStyle = colours.ring; g.lineWidth = 1.25; g.setLineDash([5, 4]);
    g.beginPath(); g.arc(cx, cy, radius * scaleOf(map), 0, 2 * Math.PI); g.stroke();
    const y = cy - radius * scaleOf(map), width = g.measureText(text).width + 8;
    g.fillStyle = colours.panel; g.fillRect(cx - width / 2, y - 8, width, 16);
    g.fillStyle = colours.text; g.fillText(text, cx, y + 4);
  }
  g.setLineDash([]);
}
function drawMap() {
  const [g, width, height] = fit(map);
  if (!cloud || cloud.width !== map.width || cloud.height !== map.height) drawCloud();
  g.clearRect(0, 0, width, height);
  g.save(); g.setTransform(1, 0, 0, 1, 0, 0); g.drawImage(cloud, 0, 0); g.restore();
  if (film) {
    for (const [line, colour] of [[6, colours.panel], [3, film.kind === 'optimisation' ? colours.path : colours.mark]]) {
      g.strokeStyle = colour; g.lineWidth = line; g.lineJoin = g.lineCap = 'round';
      g.beginPath();
      film.latents.forEach((z, i) => i ? g.lineTo(...toPixel(z)) : g.moveTo(...toPixel(z)));
      g.stroke();
    }
  }
  marks.forEach((z, i) => {
    const [x, y] = toPixel(z);
    g.fillStyle = colours.mark; g.strokeStyle = colours.panel; g.lineWidth = 2;
    g.beginPath(); g.arc(x, y, 10, 0, 2 * Math.PI); g.fill(); g.stroke();
    g.fillStyle = colours.panel; g.font = 'bold 12px system-ui, sans-serif'; g.textAlign = 'center'; g.fillText('AB'[i], x, y + 4);
  });
  const [x, y] = toPixel(wanted);
  for (const [line, colour] of [[5, colours.panel], [2.2, colours.text]]) {
    g.strokeStyle = colour; g.lineWidth = line;
    g.beginPath(); g.arc(x, y, 7, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { g.moveTo(x + 7 * dx, y + 7 * dy); g.lineTo(x + 13 * dx, y + 13 * dy); }
    g.stroke();
  }
}
function drawShape() {
  const [g, width, height] = fit(shape);
  g.clearRect(0, 0, width, height);
  if (!chain) return;
  bounds = Math.max(bounds, 1.05 * reachOf(chain));
  const s = Math.min(width / (2 * bounds), height / (1.2 * bounds)), at = ([x, y]) => [width / 2 + x * s, height / 2 - (y ?? 0) * s];
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
function tabulate() {
  const bonds = chain.length - 1, rows = $('bonds'), range = data?.bondRange;
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

// ---- what happens
function show(output, z) {
  chain = points(output);
  chain.at = z;
  redraw = fresh = true;
}
// What the page says about the chain, once a frame however often it is decoded.
function describe() {
  $('point').textContent = `(${chain.at.map(x => x.toFixed(2)).join(', ')})`;
  $('rg').textContent = gyration(chain).toFixed(3);
  tabulate();
  shape.dataset.decoded = String(1 + Number(shape.dataset.decoded ?? 0));
  shape.setAttribute('aria-label', `The decoded chain at ${$('point').textContent}, radius of gyration ${$('rg').textContent}. ${$('verdict').textContent}`);
}
let asked = null;
async function decodeWanted() {
  // One at a time and always the newest: a slow decoder skips points instead of lagging behind.
  if (decoding || !decoder) return;
  decoding = true;
  try {
    while (asked !== wanted) {
      const z = asked = wanted, start = performance.now(), output = await decoder.decode(z);
      costs.push(performance.now() - start);
      if (costs.length > 30) costs.shift();
      if (!film || !playing) show(output, z);
    }
  } catch (error) { say(error.message); } finally { decoding = false; }
}
function say(text) { $('status').textContent = text; }
function move(z) {
  wanted = z.map(x => Math.max(-extent * 1.2, Math.min(extent * 1.2, x)));
  redraw = true;
  decodeWanted();
}
function setFilm(next) {
  film = next;
  frame = 0; direction = 1;
  $('frame').disabled = $('play').disabled = !film;
  $('frame').max = film ? film.latents.length - 1 : 1;
  map.dataset.film = film ? film.kind : '';
  setPlaying(!!film && !matchMedia('(prefers-reduced-motion: reduce)').matches);
  showFrame();
}
function setPlaying(on) {
  playing = on && !!film;
  $('play').textContent = playing ? 'Pause' : 'Play';
  $('play').setAttribute('aria-label', playing ? 'Pause the film' : 'Play the film');
}
function showFrame() {
  $('frame').value = film ? Math.round(frame) : 0;
  $('frame-text').textContent = film ? `${Math.round(frame) + 1} of ${film.latents.length}` : 'no film';
  redraw = true;
  if (!film) return;
  wanted = asked = film.latents[Math.round(frame)];
  show(film.outputs[Math.round(frame)], wanted);
}
async function mark() {
  if (marks.length === 2 || film) { marks = []; setFilm(null); }
  marks.push(wanted);
  redraw = true;
  if (marks.length < 2) { say('Point A is marked; mark a second one for the film.'); return; }
  try {
    const path = await post('interpolate', { from: marks[0], to: marks[1], steps: FILM_STEPS });
    setFilm({ kind: 'interpolation', ...path });
    say('Film from A to B.');
  } catch (error) { say(error.message); }
}
async function optimise() {
  const sign = $('goal').value === 'compact' ? 1 : -1, objective = { dimensions: dimensions(), radiusOfGyration: { weight: sign } };
  if ($('physical').checked && data) {
    objective.bondLengths = { minimum: data.bondRange[0], maximum: data.bondRange[1], weight: 20 };
    objective.nonBondedDistances = { minimum: data.contactMinimum, weight: 20 };
  }
  $('optimise').disabled = true;
  say('Optimising …');
  try {
    marks = [];
    const found = await post('optimize', { start: wanted, steps: 150, learningRate: 0.04, priorWeight: $('physical').checked ? 0.02 : 0, objective });
    setFilm({ kind: 'optimisation', latents: found.latents, outputs: found.outputs });
    say(`Best after ${found.bestIndex} steps: objective ${found.values[0].toFixed(3)} → ${found.values[found.bestIndex].toFixed(3)}.`);
  } catch (error) { say(error.message); } finally { $('optimise').disabled = !info.supportsGradient; }
}
function clear() { marks = []; setFilm(null); say(ready()); redraw = true; }
const ready = () => `Model ${info.model.slice(0, 8)}: ${info.latentDimension} latents to ${info.featureCount} numbers, decoded ${decoder.name}.`;

function listen() {
  let pressed = null;
  map.addEventListener('pointermove', event => { if (!playing && (event.pointerType === 'mouse' || pressed)) move(toLatent(event)); });
  map.addEventListener('pointerdown', event => {
    pressed = [event.clientX, event.clientY];
    setPlaying(false);
    move(toLatent(event));
  });
  map.addEventListener('pointerup', event => {
    if (pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 8) mark();
    pressed = null;
  });
  map.addEventListener('pointercancel', () => { pressed = null; });
  map.addEventListener('keydown', event => {
    const step = event.shiftKey ? 0.5 : 0.1, way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (way) { setPlaying(false); move([wanted[0] + step * way[0], wanted[1] + step * way[1]]); }
    else if (event.key === 'Enter') mark();
    else if (event.key === 'Escape') clear();
    else if (event.key === ' ') setPlaying(!playing);
    else return;
    event.preventDefault();
  });
  $('play').addEventListener('click', () => setPlaying(!playing));
  $('frame').addEventListener('input', () => { setPlaying(false); frame = Number($('frame').value); showFrame(); });
  $('optimise').addEventListener('click', optimise);
  $('clear').addEventListener('click', clear);
  dark.addEventListener('change', () => { readColours(); drawLegend(); cloud = null; redraw = true; });
  new ResizeObserver(() => { cloud = null; redraw = true; }).observe(map);
  new ResizeObserver(() => { redraw = true; }).observe(shape);
}
const frames = [];
function rate(time) {
  frames.push(time);
  if (frames.length <= 30) return;
  const perSecond = 1000 * (frames.length - 1) / (time - frames[0]);
  frames.length = 0;
  if (costs.length) $('speed').textContent = `decoded ${decoder.name}, ${quantile(costs, 0.5).toFixed(1)} ms; ${perSecond.toFixed(0)} frames/s`;
}
let last = 0;
function animate(time) {
  rate(time);
  if (playing && time > last) {
    frame += direction * Math.min(3, (time - last) / 33);
    if (frame >= film.latents.length - 1) { frame = film.latents.length - 1; direction = -1; }
    if (frame <= 0) { frame = 0; direction = 1; }
    showFrame();
  }
  last = time;
  if (redraw) { redraw = false; drawMap(); drawShape(); }
  if (fresh) { fresh = false; describe(); }
  requestAnimationFrame(animate);
}

async function loadModel() {
  info = await (await get('model')).json();
  if (info.latentDimension !== 2) throw new Error(`The map needs a model with 2 latents; this one has ${info.latentDimension}.`);
  data = info.hasData ? await (await get('data/latents.json')).json() : null;
  if (data && data.beads * data.dimensions !== info.featureCount) data = null;
  decoder = null;
  if (typeof WebAssembly === 'object' && !new URLSearchParams(location.search).has('service')) {
    try { decoder = await BrowserDecoder.load(); } catch (error) { console.info('The service decodes:', error.message); }
  }
  decoder ??= new ServiceDecoder();
  costs = [];
  const reach = data ? quantile(data.latents.map(z => Math.max(Math.abs(z[0]), Math.abs(z[1]))), 0.998) : 0;
  extent = Math.min(6, Math.max(3.4, reach * 1.03));
  map.dataset.extent = extent;
  // The scale of the shape is that of the data's long chains, so that small ones look small; a longer one makes it grow.
  const corners = await post('decode', { latents: (data?.latents ?? [[2, 0], [-2, 0], [0, 2], [0, -2]]).filter((_, i, all) => i % Math.ceil(all.length / 400) === 0) });
  bounds = 1.15 * quantile(corners.outputs.map(output => reachOf(points(output))), 0.9);
  $('legend').hidden = !data;
  if (data) {
    drawLegend();
    $('range-help').textContent = `Range of the data’s bonds: ${data.bondRange[0].toFixed(3)} to ${data.bondRange[1].toFixed(3)} (the shaded part of the gauge); nearest beads that are not bonded: ${data.contactMinimum.toFixed(3)}.`;
  }
  $('optimise').disabled = !info.supportsGradient;
  document.body.dataset.decoder = decoder instanceof BrowserDecoder ? 'browser' : 'service';
  document.body.dataset.model = info.model;
  cloud = null; asked = null;
  say(ready());
  decodeWanted();
}
// The service takes up a new model while it runs; the page follows.
async function follow() {
  try {
    if (!document.hidden && (await (await get('healthz')).json()).model !== info.model) { clear(); await loadModel(); }
  } catch { /* The service is away for a moment; the next look tells. */ }
}
readColours();
listen();
requestAnimationFrame(animate);
loadModel().then(() => setInterval(follow, 5000)).catch(error => say(error.message));
