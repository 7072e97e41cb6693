// The stream of events: connects again by itself, and hands events over in batches, a few milliseconds of each
// animation frame, so that a burst never holds up the page.

const BUDGET_MS = 6; // of the 16 that a frame has
const SILENCE_MS = 45000; // the server beats every 15 s
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;
const AFRESH_MS = 10000; // after lost events the picture is asked for anew, not more often than this

export class Feed {
  // take(event) for each event; drained() after each batch; state is "connecting", "live", "away" or "broken".
  constructor(url, { take, drained, became }) {
    this.url = url;
    this.take = take;
    this.drained = drained;
    this.became = became;
    this.lines = [];
    this.next = 0; // of lines
    this.scheduled = false;
    this.pause = FIRST_PAUSE_MS;
    this.lastHeard = 0;
    this.lastAfresh = 0;
    this.timer = 0;
    document.addEventListener("visibilitychange", () => this.shown());
    addEventListener("online", () => this.state === "broken" && this.connect());
    setInterval(() => this.listen(), 5000);
    this.connect();
  }

  set(state) {
    if (this.state !== state) {
      this.state = state;
      this.became(state);
    }
  }

  connect() {
    clearTimeout(this.timer);
    this.source?.close();
    if (this.state !== "broken") this.set("connecting");
    this.lastHeard = performance.now();
    const source = (this.source = new EventSource(this.url));
    source.onmessage = (message) => this.receive(message.data);
    source.onerror = () => this.failed(source);
    source.addEventListener("beat", () => this.heard());
    source.addEventListener("away", () => {
      this.heard();
      this.set("away");
    });
  }

  heard() {
    this.lastHeard = performance.now();
    this.pause = FIRST_PAUSE_MS;
  }

  listen() {
    if (this.state !== "broken" && performance.now() - this.lastHeard > SILENCE_MS) this.failed(this.source);
  }

  failed(source) {
    if (source !== this.source) return;
    source.close();
    this.set("broken");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }

  // Events were lost: jobs may seem to run that have ended. The next Hello puts that right.
  startAfresh() {
    const wait = Math.max(500, this.lastAfresh + AFRESH_MS - performance.now());
    this.lastAfresh = performance.now() + wait;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  receive(data) {
    this.heard();
    this.set("live");
    for (const line of data.split("\n")) this.lines.push(line);
    this.schedule();
  }

  schedule() {
    if (document.hidden) this.work(Infinity); // there are no frames; an event is cheap
    else if (!this.scheduled) {
      this.scheduled = true;
      requestAnimationFrame(() => {
        this.scheduled = false;
        this.work(BUDGET_MS);
        if (this.next < this.lines.length) this.schedule();
      });
    }
  }

  shown() {
    if (document.hidden) this.work(Infinity);
    else if (this.state === "broken") this.connect();
  }

  work(budget) {
    const end = performance.now() + budget;
    while (this.next < this.lines.length) {
      this.one(this.lines[this.next++]);
      if (this.next % 64 === 0 && performance.now() > end) break;
    }
    if (this.next >= this.lines.length) {
      this.lines = [];
      this.next = 0;
    }
    this.drained();
  }

  one(line) {
    const event = JSON.parse(line);
    this.take(event);
    if (event.event === "lost") this.startAfresh();
  }
}
