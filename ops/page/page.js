// Renews the page from what the server sends, and opens the panel of a box. It makes no markup from texts: every text
// becomes a text node.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const KEPT = "open"; // an open dialog stays open
const AGAIN_MS = 3000;
const every = Number(document.body.dataset.every);
const lost = document.getElementById("lost");
let last = new Date();

document.documentElement.classList.add("js");

function made(node, space) {
  if (typeof node === "string") return document.createTextNode(node);
  const own = node[0] === "svg" ? SVG : space;
  const element = own ? document.createElementNS(own, node[0]) : document.createElement(node[0]);
  fill(element, node, own);
  return element;
}

function fill(element, [, attributes, children], space) {
  for (const { name } of Array.from(element.attributes)) {
    if (!(name in attributes) && name !== KEPT) element.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  children.forEach((child, place) => {
    const there = element.childNodes[place];
    if (!there) element.append(made(child, space));
    else if (!isLike(there, child)) there.replaceWith(made(child, space));
    else if (typeof child !== "string") fill(there, child, child[0] === "svg" ? SVG : space);
    else if (there.data !== child) there.data = child;
  });
  while (element.childNodes.length > children.length) element.lastChild.remove();
}

function isLike(there, node) {
  return typeof node === "string" ? there.nodeType === Node.TEXT_NODE : there.localName === node[0];
}

function renew(parts) {
  for (const [id, node] of Object.entries(parts)) {
    const element = document.getElementById(id);
    if (element) fill(element, node, null);
  }
}

function say(text) {
  if (lost.textContent !== text) lost.textContent = text;
}

function sayLost() {
  say(`? no answer since ${last.toISOString().slice(11, 19)} UTC. `);
}

// The browser connects again by itself, except after an answer that is no stream: then this does.
function connect() {
  const source = new EventSource("/events");
  source.addEventListener("page", (event) => {
    last = new Date();
    say("");
    renew(JSON.parse(event.data));
  });
  source.addEventListener("error", () => {
    sayLost();
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
  });
}

connect();
setInterval(() => {
  if (new Date() - last > (3 * every + 2) * 1000) sayLost();
}, 1000);

function open(id) {
  const panel = document.getElementById(id);
  if (panel instanceof HTMLDialogElement && !panel.open) panel.showModal();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#program-']");
  if (link) {
    event.preventDefault();
    open(link.getAttribute("href").slice(1));
  } else if (event.target.closest("button.close")) {
    event.target.closest("dialog").close();
  }
});
