// The timeline's window and what moves it: wheel, drag, keys, buttons. paint.js draws it.

import { AXIS, paint } from "./paint.js";

const SPANS = [0.5, 6 * 3600]; // seconds that the window may show
const FIRST_SPAN = 120;
const EDGE = 0.03; // of the window is left free after now
const LANES_HEIGHT = 440;
const LANE_HEIGHTS = [5, 18];

export class Timeline {
  // hosts() are those whose lanes are shown, isOther(job) makes a job grey; chose(found, isOpened) hears what is
  // chosen, over(found, x, y) what is under the pointer: { stay, lane }, or null.
  constructor(canvas, picture, colours, { hosts, isOther, chose, over }) {
    Object.assign(this, { canvas, picture, colours, hosts, isOther, chose, over });
    this.context = canvas.getContext("2d", { alpha: false });
    this.span = FIRST_SPAN;
    this.right = null; // null: follows now
    this.top = 0;
    this.lanes = [];
    this.chosen = null; // { stay, lane }
    this.stale = true;
    this.drawnAt = -1;
    canvas.addEventListener("keydown", (event) => this.pressed(event));
    canvas.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.grab(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => (this.grip = null));
    canvas.addEventListener("pointerleave", () => this.over(null));
    canvas.addEventListener("focus", () => this.touch());
    canvas.addEventListener("blur", () => this.touch());
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  touch() {
    this.stale = true;
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.gutter = Math.min(150, Math.max(90, this.width * 0.16));
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.touch();
  }

  // Call on every animation frame; draws when there is something new to see.
  frame() {
    if (!this.width) return;
    const now = this.picture.now();
    const pixel = this.span / (this.width - this.gutter);
    const isMoving = this.right === null && this.picture.hello !== null;
    const hasNews = this.picture.changed !== this.drawnChange;
    if (!this.stale && !hasNews && !(isMoving && now - this.drawnAt >= pixel)) return;
    this.layOut();
    this.drawnAt = now;
    this.drawnChange = this.picture.changed;
    this.stale = false;
    paint(this.context, this.window(now), this.colours, now);
  }

  layOut() {
    this.lanes = this.hosts().flatMap((host) => host.lanes);
    const fitting = Math.floor(LANES_HEIGHT / Math.max(1, this.lanes.length));
    this.laneHeight = Math.min(LANE_HEIGHTS[1], Math.max(LANE_HEIGHTS[0], fitting));
    const height = AXIS + Math.min(LANES_HEIGHT, Math.max(2, this.lanes.length) * this.laneHeight) + 2;
    if (this.canvas.style.height !== `${height}px`) this.canvas.style.height = `${height}px`;
    this.top = Math.max(0, Math.min(this.top, this.lanes.length * this.laneHeight - (this.height - AXIS)));
  }

  window(now) {
    const { span, top, gutter, width, height, laneHeight, lanes, isOther } = this;
    const chosen = this.chosen?.stay;
    return { left: this.leftAt(now), span, top, gutter, width, height, laneHeight, lanes, isOther, chosen };
  }

  leftAt(now) {
    return (this.right ?? now + this.span * EDGE) - this.span;
  }

  get left() {
    return this.leftAt(this.picture.now());
  }

  timeAt(x) {
    return this.left + ((x - this.gutter) / (this.width - this.gutter)) * this.span;
  }

  // -- what moves the window

  zoom(factor, x = null) {
    const follows = this.right === null && (x === null || factor > 1);
    const at = x ?? (this.gutter + this.width) / 2;
    const time = this.timeAt(at);
    const part = (at - this.gutter) / (this.width - this.gutter);
    this.span = Math.max(SPANS[0], Math.min(SPANS[1], this.span * factor));
    if (!follows) this.right = time + (1 - part) * this.span;
    this.settle();
  }

  pan(part) {
    this.right = this.left + this.span + part * this.span;
    this.settle();
  }

  follow() {
    this.right = null;
    this.settle();
  }

  // All that is known of these lanes.
  whole() {
    const starts = this.lanes.flatMap((lane) => lane.stays[lane.first]?.start ?? []);
    const now = this.picture.now();
    const start = Math.min(now - 1, ...starts);
    this.span = Math.max(SPANS[0], Math.min(SPANS[1], (now - start) * 1.05));
    this.right = null;
    this.settle();
  }

  // Near now it follows again.
  settle() {
    const now = this.picture.now();
    if (this.right !== null && this.right > now + this.span * EDGE) this.right = null;
    this.touch();
    this.windowChanged?.(this.right === null);
  }

  do(what) {
    ({
      in: () => this.zoom(0.5),
      out: () => this.zoom(2),
      earlier: () => this.pan(-0.5),
      later: () => this.pan(0.5),
      whole: () => this.whole(),
      now: () => this.follow(),
    })[what]();
  }

  wheeled(event) {
    const step = event.deltaMode === 1 ? 16 : 1;
    if (event.ctrlKey || event.metaKey) {
      this.zoom(Math.exp(Math.max(-1, Math.min(1, (event.deltaY * step) / 250))), event.offsetX);
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.pan(((event.deltaX || event.deltaY) * step) / this.width);
    } else if (!this.scroll(event.deltaY * step)) return; // the page's
    event.preventDefault();
  }

  scroll(by) {
    const before = this.top;
    this.top = Math.max(0, Math.min(this.top + by, this.lanes.length * this.laneHeight - (this.height - AXIS)));
    this.touch();
    return this.top !== before;
  }

  grab(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.grip = { x: event.offsetX, y: event.offsetY, left: this.left, top: this.top, isDrag: false };
  }

  moved(event) {
    const { grip } = this;
    if (!grip) {
      const found = this.at(event.offsetX, event.offsetY);
      this.over(found, event.clientX, event.clientY);
      return;
    }
    const [dx, dy] = [event.offsetX - grip.x, event.offsetY - grip.y];
    if (!grip.isDrag && Math.hypot(dx, dy) < 5) return;
    grip.isDrag = true;
    this.over(null);
    this.right = grip.left + this.span - (dx / (this.width - this.gutter)) * this.span;
    this.top = grip.top;
    this.scroll(-dy);
    this.settle();
  }

  release(event) {
    const wasDrag = this.grip?.isDrag;
    this.grip = null;
    const found = wasDrag ? null : this.at(event.offsetX, event.offsetY);
    if (found) this.choose(found, true);
  }

  // The stay at this place, or within two pixels of it.
  at(x, y) {
    const lane = this.lanes[Math.floor((y - AXIS + this.top) / this.laneHeight)];
    if (!lane || x < this.gutter || y < AXIS) return null;
    const slack = (2 * this.span) / this.width;
    const time = this.timeAt(x);
    const stay = lane.stays[lane.search(time - slack)];
    return stay && stay.start <= time + slack ? { stay, lane } : null;
  }

  // -- keys

  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const act = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      ArrowDown: () => this.toLane(1),
      ArrowUp: () => this.toLane(-1),
      Enter: () => this.chosen && this.chose(this.chosen, true),
      " ": () => this.chosen && this.chose(this.chosen, true),
      Escape: () => this.choose(null),
      "+": () => this.do("in"),
      "=": () => this.do("in"),
      "-": () => this.do("out"),
      PageUp: () => this.do("earlier"),
      PageDown: () => this.do("later"),
      0: () => this.do("whole"),
      End: () => this.do("now"),
    }[event.key];
    if (!act) return;
    act();
    event.preventDefault();
  }

  step(by) {
    if (!this.chosen) return this.chooseFirst();
    const { stay, lane } = this.chosen;
    const next = lane.stays.indexOf(stay) + by;
    if (next >= lane.first && lane.stays[next]) this.choose({ stay: lane.stays[next], lane });
  }

  toLane(by) {
    if (!this.chosen) return this.chooseFirst();
    const { stay, lane } = this.chosen;
    const middle = (stay.start + (stay.end ?? this.picture.now())) / 2;
    for (let at = this.lanes.indexOf(lane) + by; this.lanes[at]; at += by) {
      const other = this.lanes[at];
      const found = other.stays[Math.min(other.search(middle), other.stays.length - 1)];
      if (found) return this.choose({ stay: found, lane: other });
    }
  }

  // The newest of the first lane that has one in the window, else the newest of any.
  chooseFirst() {
    const latest = (lane) => lane.stays.at(-1);
    const used = this.lanes.filter((lane) => lane.stays.length > lane.first);
    const lane = used.find((each) => (latest(each).end ?? Infinity) > this.left) ?? used[0];
    if (lane) this.choose({ stay: latest(lane), lane });
  }

  choose(found, isOpened = false) {
    this.chosen = found;
    if (found) this.bringIntoView(found);
    this.chose(found, isOpened);
    this.touch();
  }

  bringIntoView({ stay, lane }) {
    const y = this.lanes.indexOf(lane) * this.laneHeight;
    const seen = this.height - AXIS;
    if (y < this.top) this.top = y;
    else if (y + this.laneHeight > this.top + seen) this.top = y + this.laneHeight - seen;
    const end = stay.end ?? this.picture.now();
    if (end < this.left || stay.start > this.left + this.span) {
      this.right = (stay.start + end) / 2 + this.span / 2;
      this.settle();
    }
  }
}
