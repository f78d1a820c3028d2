"use strict";
// The data: parts that are opened when they are needed.
const opened = new Map();

function block(name) {
  if (!opened.has(name)) opened.set(name, unpacked(document.getElementById("data-" + name)));
  return opened.get(name);
}

const letters = Array.from({ length: 94 }, (_, place) => String.fromCharCode(33 + place)).filter((letter) => !"<>&".includes(letter));
const values = new Uint8Array(128);
letters.forEach((letter, value) => { values[letter.charCodeAt(0)] = value; });

// Two characters hold 13 bits, see base91.py.
function bytesOf(text) {
  const bytes = new Uint8Array(Math.floor((text.length / 2) * 13 / 8));
  let [held, bits, at] = [0, 0, 0];
  for (let place = 0; place < text.length; place += 2) {
    held = (held << 13) | (values[text.charCodeAt(place)] * 91 + values[text.charCodeAt(place + 1)]);
    for (bits += 13; bits >= 8; bits -= 8) bytes[at++] = (held >> (bits - 8)) & 255;
    held &= 255;
  }
  return bytes;
}

async function unpacked(holder) {
  const length = Number(holder.dataset.bytes);
  const stream = new Blob([bytesOf(holder.textContent).subarray(0, length)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  holder.remove();
  return data;
}

// What cannot be seen (controls, turned writing directions, halves of characters) is written out.
const odd = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const visible = (text) => text.replace(odd, (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));

// Elements hold texts only as text: nothing of a sample is ever parsed as HTML.
function made(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== undefined && value !== false && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (typeof child === "string" ? visible(child) : child)));
  return element;
}

const byId = (id) => document.getElementById(id);
const figure = (score) => (typeof score === "number" ? String(Math.round(score * 1000) / 1000) : { f: "failed", n: "–" }[score] ?? "none");
