/** Times as the service shows them: in its own time zone, with their age. */

let zone = "UTC";

export function setZone(name) {
  zone = name;
}

/** "21 Nov 14:05". */
export function clock(time) {
  const parts = new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone,
  }).formatToParts(time);
  const part = (type) => parts.find((item) => item.type === type).value;
  return `${part("day")} ${part("month")} ${part("hour")}:${part("minute")}`;
}

/** "5 h 20 min" for a number of minutes. */
export function span(minutes) {
  const whole = Math.round(Math.abs(minutes));
  if (whole < 60) return `${whole} min`;
  if (whole >= 48 * 60) return `${Math.floor(whole / 1440)} days`;
  return whole % 60 ? `${Math.floor(whole / 60)} h ${whole % 60} min` : `${whole / 60} h`;
}

export function ago(time, now) {
  return `${span((now - time) / 60000)} ago`;
}

export function years(birthDate, now) {
  return Math.floor((now - new Date(birthDate)) / (365.25 * 86400000));
}
