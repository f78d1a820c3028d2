"use strict";
// The data: parts that are base64 of gzip of JSON, opened when they are needed.
const opened = new Map();

function block(name) {
  if (!opened.has(name)) opened.set(name, unpacked(document.getElementById("data-" + name)));
  return opened.get(name);
}

async function unpacked(holder) {
  const packed = atob(holder.textContent);
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
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
