// The latent explorer: a map of a plane in the latent space and a view of the decoded row; the decoder runs here in the browser where WebAssembly is to be had, else in the service.
import { viewOf, digits, quantile } from './kinds.js';
import { dot, mostVaried } from './directions.js';
const $ = id => document.getElementById(id);
const map = $('map'), shape = $('shape');
const RINGS = [0.5, 0.9, 0.99].map(p => [Math.sqrt(-2 * Math.log(1 - p)), `${100 * p} %`]);
const VIRIDIS = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];
const FILM_STEPS = 90, GRID = 24, LARGEST_GRID = 250_000, SAMPLES = 512, LARGEST_SAMPLE = 200_000;

let info, view, data = null, decoder = null, extent = 4;
// The map's two directions in the latent space, and what they may be.
let axes = [[1, 0], [0, 1]], choices = [], sliders = [];
let wanted = [0, 0], decoding = false, shown = null, heat = null, heating = 0;
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
    await own.decode(new Array(info.latentDimension).fill(0));
    return own;
  }
  get name() { return 'in the browser'; }
  async decode(z) {
    const latent = new this.ort.Tensor('float32', Float32Array.from(z), [1, z.length]);
    const { Reconstruction } = await this.session.run({ Latent: latent }, ['Reconstruction']);
    return Reconstruction.data;
  }
  async decodeMany(latents) {
    const latent = new this.ort.Tensor('float32', Float32Array.from(latents.flat()), [latents.length, latents[0].length]), size = info.featureCount;
    const { Reconstruction } = await this.session.run({ Latent: latent }, ['Reconstruction']);
    return latents.map((_, i) => Reconstruction.data.subarray(i * size, (i + 1) * size));
  }
}
class ServiceDecoder {
  get name() { return 'by the service'; }
  async decode(z) { return (await this.decodeMany([z]))[0]; }
  async decodeMany(latents) { return (await post('decode', info.rows.names.length ? { latents, byName: false } : { latents })).outputs; }
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

// ---- drawing
function fit(canvas) {
  const ratio = Math.min(3, devicePixelRatio || 1), width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [g, canvas.clientWidth, canvas.clientHeight];
}
function scaleOf(canvas) { return Math.min(canvas.clientWidth, canvas.clientHeight) / (2 * extent); }
// Points of the map and latents: a latent's place on the map is its projection, and a place on the map moves the latent within the map's plane.
const onMap = z => axes.map(axis => dot(z, axis));
function place(point, from = wanted) {
  const now = onMap(from);
  return from.map((x, i) => x + axes.reduce((sum, axis, k) => sum + (point[k] - now[k]) * axis[i], 0));
}
function toPixel(z) { const [x, y] = onMap(z), s = scaleOf(map); return [map.clientWidth / 2 + x * s, map.clientHeight / 2 - y * s]; }
function toPoint(event) {
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
  colours = Object.fromEntries(['panel', 'text', 'muted', 'line', 'ring', 'mark', 'path', 'bead', 'bead-edge', 'bond', 'bad', 'range'].map(name => [name, colours[name]]));
}
function gyrationRange() {
  const sorted = Float64Array.from(data.radiusOfGyration).sort();
  return [sorted[Math.floor(0.01 * sorted.length)], sorted[Math.ceil(0.99 * sorted.length) - 1]];
}
function drawLegend() {
  const colour = mapColour();
  $('legend').hidden = !data?.radiusOfGyration && !colour;
  $('colour').hidden = view.colours.length < 2;
  if ($('legend').hidden) return;
  const [low, high] = colour ? colour.range() : gyrationRange(), g = $('scale').getContext('2d');
  $('scale-name').innerHTML = data?.radiusOfGyration ? 'R<sub>g</sub>' : '';
  if (colour && view.colours.length < 2) $('scale-name').textContent = colour.name;
  $('rg-low').textContent = colour ? digits(low) : low.toFixed(2); $('rg-high').textContent = colour ? digits(high) : high.toFixed(2);
  $('rings').hidden = info.latentDimension < 2;
  for (let i = 0; i < 256; i++) { g.fillStyle = viridis(i / 255); g.fillRect(i, 0, 1, 1); }
}
function drawCloud() {
  cloud = document.createElement('canvas');
  cloud.width = map.width; cloud.height = map.height;
  const ratio = map.width / map.clientWidth, g = cloud.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (heat) {
    // One pixel a place, stretched over the map: the browser smooths between them.
    const { side, values, range: [low, high] } = heat, small = document.createElement('canvas'), reach = extent * scaleOf(map);
    small.width = small.height = side;
    const pixels = small.getContext('2d');
    values.forEach((value, i) => { pixels.fillStyle = viridis((value - low) / (high - low || 1)); pixels.fillRect(i % side, Math.floor(i / side), 1, 1); });
    g.imageSmoothingQuality = 'high';
    g.drawImage(small, map.clientWidth / 2 - reach, map.clientHeight / 2 - reach, 2 * reach, 2 * reach);
  }
  if (data) {
    const [low, high] = data.radiusOfGyration ? gyrationRange() : [0, 1], size = Math.max(1, map.clientWidth / 330);
    g.globalAlpha = 0.8;
    data.latents.forEach((z, i) => {
      g.fillStyle = data.radiusOfGyration ? viridis((data.radiusOfGyration[i] - low) / (high - low || 1)) : colours.text;
      g.beginPath(); g.arc(...toPixel(z), size, 0, 2 * Math.PI); g.fill();
    });
    g.globalAlpha = 1;
  }
  g.strokeStyle = colours.line;
  g.beginPath();
  const [cx, cy] = [map.clientWidth / 2, map.clientHeight / 2];
  g.moveTo(cx, 0); g.lineTo(cx, map.clientHeight); g.moveTo(0, cy); g.lineTo(map.clientWidth, cy);
  g.stroke();
  g.font = '12px system-ui, sans-serif'; g.textAlign = 'center';
  for (const [radius, text] of info.latentDimension > 1 ? RINGS : []) {
    for (const [line, colour] of heat ? [[3.5, colours.panel], [1.25, colours.text]] : [[1.25, colours.ring]]) {
      g.strokeStyle = colour; g.lineWidth = line; g.setLineDash(line > 2 ? [] : [5, 4]); g.globalAlpha = line > 2 ? 0.45 : 1;
      g.beginPath(); g.arc(cx, cy, radius * scaleOf(map), 0, 2 * Math.PI); g.stroke();
    }
    g.globalAlpha = 1;
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
  if (shown && view.draw) view.draw(g, width, height, colours);
}

// ---- what happens
function show(output, z) {
  shown = z;
  view.show(output);
  redraw = fresh = true;
}
const pointText = z => z.length <= 4 ? `(${z.map(x => x.toFixed(2)).join(', ')})` : `(${z.slice(0, 3).map(x => x.toFixed(2)).join(', ')}, … ${z.length} in all)`;
// What the page says about the row, once a frame however often it is decoded.
function describe() {
  $('point').textContent = pointText(shown);
  const words = view.describe();
  sliders.forEach(({ input, output }, i) => {
    if (document.activeElement !== input || Math.abs(Number(input.value) - shown[i]) > 0.006) input.value = shown[i];
    output.textContent = shown[i].toFixed(2);
  });
  shape.dataset.decoded = String(1 + Number(shape.dataset.decoded ?? 0));
  shape.setAttribute('aria-label', `At ${$('point').textContent}: ${words}`);
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
function move(point) { moveTo(place(point.map(x => Math.max(-extent * 1.2, Math.min(extent * 1.2, x))))); }
function moveTo(z) {
  wanted = z;
  recolourLater();
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
  recolourLater();
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
  const { objective, priorWeight } = view.goal($('physical').checked);
  $('optimise').disabled = true;
  say('Optimising …');
  try {
    marks = [];
    const found = await post('optimize', { start: wanted, steps: 150, learningRate: 0.04, priorWeight, objective });
    setFilm({ kind: 'optimisation', latents: found.latents, outputs: found.outputs });
    say(`Best after ${found.bestIndex} steps: objective ${found.values[0].toFixed(3)} → ${found.values[found.bestIndex].toFixed(3)}.`);
  } catch (error) { say(error.message); } finally { $('optimise').disabled = !info.supportsGradient; }
}
function clear() { marks = []; setFilm(null); say(ready()); redraw = true; }
const KINDS = { vector: 'numbers', conformation: 'coordinates of beads', sequence: 'probabilities of letters' };
const ready = () => `Model ${info.model.slice(0, 8)}: ${info.latentDimension} latents to ${info.featureCount} ${KINDS[info.rows.kind]}, decoded ${decoder.name}.`;

function listen() {
  let pressed = null;
  map.addEventListener('pointermove', event => { if (!playing && (event.pointerType === 'mouse' || pressed)) move(toPoint(event)); });
  map.addEventListener('pointerdown', event => {
    pressed = [event.clientX, event.clientY];
    setPlaying(false);
    move(toPoint(event));
  });
  map.addEventListener('pointerup', event => {
    if (pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 8) mark();
    pressed = null;
  });
  map.addEventListener('pointercancel', () => { pressed = null; });
  map.addEventListener('keydown', event => {
    const step = event.shiftKey ? 0.5 : 0.1, way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (way) { setPlaying(false); move(onMap(wanted).map((x, k) => x + step * way[k])); }
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
  $('colour').addEventListener('change', () => { drawLegend(); recolour(); });
  for (const id of ['across', 'up']) $(id).addEventListener('change', () => chooseAxes(id));
  $('centre').addEventListener('click', () => { setPlaying(false); moveTo(new Array(info.latentDimension).fill(0)); });
  dark.addEventListener('change', () => { readColours(); if (view) drawLegend(); cloud = null; redraw = true; });
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
  if (redraw && view) { redraw = false; drawMap(); drawShape(); }
  if (fresh) { fresh = false; describe(); }
  requestAnimationFrame(animate);
}

// ---- the map's plane and its colours
// Two directions of unit length at right angles: what is chosen second gives way where the two are not.
function setAxes(across, up) {
  const second = up.map((x, i) => x - dot(across, up) * across[i]), length = Math.hypot(...second);
  axes = [across, length > 1e-6 ? second.map(x => x / length) : new Array(across.length).fill(0)];
  map.setAttribute('aria-label', `Latent map, ${$('across').selectedOptions[0]?.text ?? 'z1'} across and ${$('up').selectedOptions[0]?.text ?? 'z2'} up. Arrow keys move the point, Enter marks it.`);
  cloud = null; redraw = true;
  recolour();
}
function chooseAxes(changed) {
  // One direction cannot go both ways.
  if ($('across').value === $('up').value) {
    const other = changed === 'across' ? $('up') : $('across');
    other.selectedIndex = $(changed).selectedIndex === 0 ? 1 : 0;
  }
  setAxes(choices[$('across').value].direction, choices[$('up').value].direction);
}
function preparePlane(samples) {
  const d = info.latentDimension, unit = i => Array.from({ length: d }, (_, k) => k === i ? 1 : 0);
  choices = Array.from({ length: d }, (_, i) => ({ name: `z${i + 1}`, direction: unit(i) }));
  $('axes').hidden = d < 3;
  if (d > 2) {
    const varied = mostVaried(samples.latents, samples.outputs, 2, info.rows.kind !== 'vector');
    choices.unshift({ name: 'most varied direction', direction: varied[0] }, { name: 'second most varied', direction: varied[1] });
  }
  for (const [id, at] of [['across', 0], ['up', 1]]) {
    $(id).replaceChildren(...choices.map(({ name }, i) => new Option(name, i)));
    $(id).selectedIndex = Math.min(at, choices.length - 1);
  }
  setAxes(choices[0].direction, (choices[1] ?? { direction: new Array(d).fill(0) }).direction);
}
function prepareSliders() {
  const d = info.latentDimension;
  $('dimensions').open = d !== 2;
  $('dimensions-title').textContent = d === 1 ? 'The latent dimension' : d === 2 ? 'Both latent dimensions' : `All ${d} latent dimensions`;
  $('sliders').replaceChildren(...Array.from({ length: d }, (_, i) => {
    const label = document.createElement('label');
    label.innerHTML = `<span>z${i + 1}</span><input type="range" min="-4" max="4" step="0.01" value="0"><output>0.00</output>`;
    return label;
  }));
  sliders = [...$('sliders').children].map(label => ({ input: label.children[1], output: label.children[2] }));
  sliders.forEach(({ input }, i) => input.addEventListener('input', () => {
    setPlaying(false);
    moveTo(wanted.map((x, k) => k === i ? Number(input.value) : x));
  }));
}
// Without a map of the data, the map shows what is decoded at its places.
const mapColour = () => data ? null : view.colours[Number($('colour').value) || 0] ?? null;
async function recolour() {
  const colour = mapColour(), turn = ++heating;
  const side = Math.min(GRID, Math.floor(Math.sqrt(info.limits.rows)), Math.floor(Math.sqrt(LARGEST_GRID * (decoder?.name === 'in the browser' ? 16 : 1) / info.featureCount)));
  if (!colour || !decoder || side < 4) { if (heat) { heat = null; cloud = null; redraw = true; } return; }
  const from = wanted, latents = Array.from({ length: side * side }, (_, i) =>
    place([(2 * (i % side + 0.5) / side - 1) * extent, (1 - 2 * (Math.floor(i / side) + 0.5) / side) * extent], from));
  try {
    const values = (await decoder.decodeMany(latents)).map(colour.of);
    if (turn !== heating) return;
    heat = { side, values, range: colour.range(), off: offPlane(from) };
    cloud = null; redraw = true;
    map.dataset.coloured = colour.name;
  } catch { /* A newer turn, or the next model, tells. */ }
}
// Where the latent leaves the plane that the map is coloured for, the colours follow when it has come to rest.
const offPlane = z => place([0, 0], z);
let resting = 0;
function recolourLater() {
  if (!heat || info.latentDimension < 3 || Math.hypot(...offPlane(wanted).map((x, i) => x - heat.off[i])) < 1e-3) return;
  clearTimeout(resting);
  resting = setTimeout(recolour, 150);
}

async function loadModel() {
  info = await (await get('model')).json();
  const { rows, latentDimension: latent, featureCount: features } = info;
  data = info.hasData ? await (await get('data/latents.json')).json() : null;
  // A map of another model's data is none of this one's.
  if (data && (data.latents?.[0]?.length !== latent || data.beads && (rows.kind !== 'conformation' || data.beads * data.dimensions !== features))) data = null;
  if (wanted.length !== latent) wanted = new Array(latent).fill(0);
  document.body.dataset.kind = rows.kind === 'vector' ? (rows.names.length ? 'bars' : 'line') : rows.kind;
  shown = heat = null;
  view = viewOf(info);
  $('shape-title').textContent = view.name;
  $('keep').textContent = view.keep;
  $('colour').replaceChildren(...view.colours.map(({ name }, i) => new Option(name, i)));
  decoder = null;
  if (typeof WebAssembly === 'object' && !new URLSearchParams(location.search).has('service')) {
    try { decoder = await BrowserDecoder.load(); } catch (error) { console.info('The service decodes:', error.message); }
  }
  decoder ??= new ServiceDecoder();
  costs = [];
  const reach = data ? quantile(data.latents.map(z => Math.max(...z.map(Math.abs))), 0.998) : 0;
  extent = Math.min(6, Math.max(3.4, reach * 1.03));
  map.dataset.extent = extent;
  // Rows of the data where there are some, of the prior otherwise: for the scale of what is drawn, and the directions in which it varies.
  const count = Math.max(1, Math.min(SAMPLES, info.limits.rows, Math.floor(LARGEST_SAMPLE / features)));
  const samples = await (await get(`sample?count=${count}&seed=1${rows.names.length ? '&byName=false' : ''}`)).json();
  const own = (data?.latents ?? [[2, 0], [-2, 0], [0, 2], [0, -2]]).filter((_, i, all) => i % Math.ceil(all.length / Math.min(400, info.limits.rows)) === 0);
  view.ready(data || latent === 2 && rows.kind === 'conformation' ? await decoder.decodeMany(own) : samples.outputs, data);
  prepareSliders();
  preparePlane(samples);
  drawLegend();
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
