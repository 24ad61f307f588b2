// Small helpers. Everything shown is put into the page as text, never as markup.

export const $ = (id) => document.getElementById(id);

/** Make an element: its tag (with classes, "li.card"), its attributes, its children (nodes or text). */
export function el(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The same in SVG's name space. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Set an element's text, if it's another: a screen reader hears of changes. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
