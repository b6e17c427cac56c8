// Paints points: with WebGL2 on a graphics card; without one pixel by pixel on a 2D canvas, which is 10 to 30 times as fast as
// WebGL2 in software (benches/web_map).

/** @typedef {import("./state.js").Window} Window */

/**
 * @typedef {object} Frame
 * @property {Window} view
 * @property {number} width   Pixels of the screen.
 * @property {number} height
 * @property {number} size    Of a point, in pixels of the screen.
 * @property {number} count   How many of the first layer are painted.
 */

/**
 * Layer 0 is all points, layer 1 those that stand out, painted over it.
 * @typedef {object} Renderer
 * @property {"webgl" | "canvas"} kind
 * @property {(layer: 0 | 1, places: Float32Array<ArrayBuffer>) => void} setPlaces
 * @property {(layer: 0 | 1, colours: Uint8Array<ArrayBuffer>) => void} setColours  Red, green, blue and opacity of each point.
 * @property {(frame: Frame) => void} draw
 * @property {() => void} destroy
 */

/** Pixels of the screen for one unit of the map. @param {Window} view @param {number} width @param {number} height */
export function scaleOf(view, width, height) {
  return view.zoom * Math.min(width, height) * 0.48;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {"best" | "webgl" | "canvas"} way
 * @returns {Renderer}
 */
export function rendererFor(canvas, way) {
  const chosen = way === "best" ? (hasCard() ? "webgl" : "canvas") : way;
  return (chosen === "webgl" ? webgl(canvas) : undefined) ?? raster(canvas);
}

/** Whether WebGL2 runs on a graphics card; asked of another canvas, since one has only one kind of context. */
function hasCard() {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  if (gl === null) return false;
  const known = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(known === null ? gl.RENDERER : known.UNMASKED_RENDERER_WEBGL));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

const VERTEX = `#version 300 es
in vec2 place;
in vec4 tint;
uniform vec4 window;
uniform float size;
flat out vec4 colour;
void main() {
  gl_Position = vec4(place * window.xy + window.zw, 0.0, 1.0);
  gl_PointSize = size;
  colour = vec4(tint.rgb * tint.a, tint.a);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
flat in vec4 colour;
uniform float size;
out vec4 painted;
void main() {
  if (size > 3.5 && length(gl_PointCoord - 0.5) > 0.5) discard;
  painted = colour;
}`;

/** @param {WebGL2RenderingContext} gl @param {number} kind @param {string} source */
function shader(gl, kind, source) {
  const made = gl.createShader(kind);
  if (made === null) return undefined;
  gl.shaderSource(made, source);
  gl.compileShader(made);
  return made;
}

/** @param {WebGL2RenderingContext} gl */
function programOf(gl) {
  const program = gl.createProgram();
  const [vertex, fragment] = [shader(gl, gl.VERTEX_SHADER, VERTEX), shader(gl, gl.FRAGMENT_SHADER, FRAGMENT)];
  if (program === null || vertex === undefined || fragment === undefined) return undefined;
  gl.attachShader(program, vertex);
  gl.attachShader(program, fragment);
  gl.bindAttribLocation(program, 0, "place");
  gl.bindAttribLocation(program, 1, "tint");
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) === true ? program : undefined;
}

/** @param {WebGL2RenderingContext} gl */
function layerOf(gl) {
  const layer = { array: gl.createVertexArray(), places: gl.createBuffer(), colours: gl.createBuffer(), size: 0 };
  gl.bindVertexArray(layer.array);
  gl.bindBuffer(gl.ARRAY_BUFFER, layer.places);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  gl.bindBuffer(gl.ARRAY_BUFFER, layer.colours);
  gl.enableVertexAttribArray(1);
  gl.vertexAttribPointer(1, 4, gl.UNSIGNED_BYTE, true, 0, 0);
  return layer;
}

/** @param {HTMLCanvasElement} canvas @returns {Renderer | undefined} */
function webgl(canvas) {
  const gl = canvas.getContext("webgl2", { antialias: false, depth: false, alpha: true, premultipliedAlpha: true });
  if (gl === null) return undefined;
  const program = programOf(gl);
  if (program === undefined) return undefined;
  const layers = [layerOf(gl), layerOf(gl)];
  const at = { window: gl.getUniformLocation(program, "window"), size: gl.getUniformLocation(program, "size") };
  gl.useProgram(program);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  gl.clearColor(0, 0, 0, 0);
  return {
    kind: "webgl",
    setPlaces(number, places) {
      const layer = layers[number];
      if (layer === undefined) return;
      layer.size = places.length / 2;
      gl.bindBuffer(gl.ARRAY_BUFFER, layer.places);
      gl.bufferData(gl.ARRAY_BUFFER, places, gl.STATIC_DRAW);
    },
    setColours(number, colours) {
      gl.bindBuffer(gl.ARRAY_BUFFER, layers[number]?.colours ?? null);
      gl.bufferData(gl.ARRAY_BUFFER, colours, gl.STATIC_DRAW);
    },
    draw({ view, width, height, size, count }) {
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
      }
      gl.viewport(0, 0, width, height);
      gl.clear(gl.COLOR_BUFFER_BIT);
      const scale = scaleOf(view, width, height);
      const [across, up] = [(2 * scale) / width, (2 * scale) / height];
      gl.uniform4f(at.window, across, up, -view.x * across, -view.y * up);
      layers.forEach((layer, number) => {
        if (layer.size === 0) return;
        gl.uniform1f(at.size, number === 0 ? size : size + 2);
        gl.bindVertexArray(layer.array);
        gl.drawArrays(gl.POINTS, 0, number === 0 ? Math.min(count, layer.size) : layer.size);
      });
    },
    destroy() {
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

/** @param {HTMLCanvasElement} canvas @returns {Renderer} */
function raster(canvas) {
  const context = canvas.getContext("2d");
  const layers = [0, 1].map(() => ({ places: new Float32Array(0), colours: new Uint32Array(0) }));
  /** @type {{image: ImageData, pixels: Uint32Array} | undefined} */
  let sheet;
  return {
    kind: "canvas",
    setPlaces(number, places) {
      const layer = layers[number];
      if (layer !== undefined) layer.places = places;
    },
    setColours(number, colours) {
      const layer = layers[number];
      // Opaque: what is painted last is seen.
      if (layer !== undefined) layer.colours = new Uint32Array(colours.slice().buffer).map((colour) => colour | 0xff000000);
    },
    draw({ view, width, height, size, count }) {
      if (context === null || width === 0 || height === 0) return;
      if (sheet === undefined || canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        const image = context.createImageData(width, height);
        sheet = { image, pixels: new Uint32Array(image.data.buffer) };
      }
      sheet.pixels.fill(0);
      const scale = scaleOf(view, width, height);
      layers.forEach(({ places, colours }, number) => {
        const most = number === 0 ? Math.min(count, places.length / 2) : places.length / 2;
        if (sheet !== undefined) stamp(sheet.pixels, width, height, places, colours, most, scale, view, Math.max(1, Math.round(size + 2 * number)));
      });
      context.putImageData(sheet.image, 0, 0);
    },
    destroy() {},
  };
}

/**
 * @param {Uint32Array} pixels
 * @param {number} width
 * @param {number} height
 * @param {Float32Array} places
 * @param {Uint32Array} colours
 * @param {number} count
 * @param {number} scale
 * @param {Window} view
 * @param {number} size
 */
function stamp(pixels, width, height, places, colours, count, scale, view, size) {
  const left = width / 2 - view.x * scale - size / 2 + 0.5;
  const top = height / 2 + view.y * scale - size / 2 + 0.5;
  const [right, bottom] = [width - size, height - size];
  for (let at = 0; at < count; at += 1) {
    const across = left + /** @type {number} */ (places[2 * at]) * scale;
    const down = top - /** @type {number} */ (places[2 * at + 1]) * scale;
    if (across < 0 || down < 0 || across >= right || down >= bottom) continue;
    const colour = /** @type {number} */ (colours[at]);
    let first = (down | 0) * width + (across | 0);
    for (let row = 0; row < size; row += 1, first += width) {
      for (let column = 0; column < size; column += 1) pixels[first + column] = colour;
    }
  }
}
