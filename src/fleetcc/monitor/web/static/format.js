// Values as people read them.

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const NUMBER = new Intl.NumberFormat("en-US");

export function count(number) {
  return NUMBER.format(number);
}

export function bytes(size) {
  if (size < 1000) return `${size} B`;
  let unit = -1;
  while (size >= 999.5 && unit < 4) {
    size /= 1000;
    unit += 1;
  }
  return `${size < 10 ? size.toFixed(1) : size.toFixed(0)} ${"kMGTP"[unit]}B`;
}

export function seconds(span) {
  if (span < 0.0995) return `${(span * 1000).toFixed(0)} ms`;
  if (span < 9.95) return `${span.toFixed(1)} s`;
  if (span < 100) return `${span.toFixed(0)} s`;
  if (span < 5940) return `${(span / 60).toFixed(span < 600 ? 1 : 0)} min`;
  return `${(span / 3600).toFixed(1)} h`;
}

export function clock(unixTime) {
  return TIME.format(unixTime * 1000);
}

// Of a path the end says more.
export function tail(path, most) {
  return path.length <= most ? path : "…" + path.slice(path.length - most + 1);
}

// As wait() gives it: an exit status, or the signal that killed it.
export function exit(status) {
  if (status < 0) return "";
  return status & 0x7f ? `signal ${status & 0x7f}` : `status ${status >> 8}`;
}

export function plural(number, one, many = one + "s") {
  return `${count(number)} ${number === 1 ? one : many}`;
}
